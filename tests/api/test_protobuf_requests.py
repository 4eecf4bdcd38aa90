"""Protobuf over HTTP: what is asked for in it, sent in it, refused, and what it falls back to."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.api import ApiApplication
from orchestrator.api.protobuf import (
    MEDIA_TYPE,
    decode_object,
    encode_message,
    encode_object,
    enveloped,
)
from orchestrator.api.protobuf.values import scalars
from orchestrator.api.protobuf.wire import field
from orchestrator.resources.custom.kinds import kinds_of
from orchestrator.resources.kinds import registry
from orchestrator.store import Store
from orchestrator.store.window import WindowLimits

PODS: Final = "/api/v1/namespaces/default/pods"
MAPS: Final = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS: Final = "/apis/apps/v1/namespaces/default/deployments"
ASK: Final = {"accept": MEDIA_TYPE}
SEND: Final = {"content-type": MEDIA_TYPE}
META: Final = "g=meta.k8s.io;v=v1"


def config_map(name: str, **data: str) -> dict[str, Any]:
    """Make a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """Make a Deployment."""
    labels = {"app": name}
    spec = {"containers": [{"name": "c", "image": "i"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def read(answer: httpx.Response, code: int = 200) -> dict[str, Any]:
    """Decode a protobuf answer."""
    assert answer.status_code == code, answer.content
    assert answer.headers["content-type"] == MEDIA_TYPE
    return decode_object(answer.content)


async def test_an_object_and_a_list_hold_what_json_holds(client: httpx.AsyncClient) -> None:
    """A pod is read alone and in a list, twice: the second time from the kept bytes."""
    spec = {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "0.5"}}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    assert (await client.post(PODS, json=pod)).status_code == 201
    json = (await client.get(f"{PODS}/p")).json()
    for _ in range(2):
        got = read(await client.get(f"{PODS}/p", headers=ASK))
        assert got["spec"] == json["spec"]
        assert got["metadata"] == json["metadata"]
        listed = read(await client.get(f"{PODS}?limit=1", headers=ASK))
        assert (listed["kind"], listed["apiVersion"]) == ("PodList", "v1")
        version = (await client.get(PODS)).json()["metadata"]["resourceVersion"]
        assert listed["metadata"] == {"resourceVersion": version}
        assert listed["items"] == [
            {key: value for key, value in got.items() if key not in ("apiVersion", "kind")}
        ]


async def test_writes_are_read_and_answered(client: httpx.AsyncClient) -> None:
    """Create, update and delete with options, bodies and answers in protobuf."""
    both = {**ASK, **SEND}
    body = encode_object(deployment("d", 2))
    made = read(await client.post(DEPLOYMENTS, content=body, headers=both), 201)
    assert made["spec"]["revisionHistoryLimit"] == 10
    made["spec"]["replicas"] = 0
    changed = await client.put(f"{DEPLOYMENTS}/d", content=encode_object(made), headers=both)
    assert read(changed)["spec"]["replicas"] == 0
    scale = read(await client.get(f"{DEPLOYMENTS}/d/scale", headers=ASK))
    assert (scale["kind"], scale["spec"]) == ("Scale", {})
    scale["spec"]["replicas"] = 3
    sent = await client.put(f"{DEPLOYMENTS}/d/scale", content=encode_object(scale), headers=both)
    assert read(sent)["spec"] == {"replicas": 3}
    patch = {"content-type": "application/merge-patch+json", **ASK}
    patched = await client.patch(
        f"{DEPLOYMENTS}/d", content=b'{"spec":{"paused":true}}', headers=patch
    )
    assert read(patched)["spec"]["paused"] is True
    options = {
        "apiVersion": "apps/v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "another"},
    }
    refused = await client.request(
        "DELETE", f"{DEPLOYMENTS}/d", content=encode_object(options), headers=both
    )
    status = read(refused, 409)
    assert (status["kind"], status["reason"], status["code"]) == ("Status", "Conflict", 409)
    options["preconditions"] = {"uid": made["metadata"]["uid"]}
    gone = await client.request(
        "DELETE", f"{DEPLOYMENTS}/d", content=encode_object(options), headers=both
    )
    assert read(gone)["status"] == "Success"


async def test_equal_bodies_are_made_from_a_template(client: httpx.AsyncClient) -> None:
    """The second pod of a kind, differing in name only, is as the first, whatever the encoding."""
    spec = {"containers": [{"name": "c", "image": "i"}]}
    pods = {}
    for name in ("a", "b"):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        answer = await client.post(PODS, content=encode_object(pod), headers=SEND)
        pods[name] = answer.json()
    assert pods["a"]["spec"] == pods["b"]["spec"]
    assert pods["b"]["spec"]["restartPolicy"] == "Always"


async def test_unknown_fields_are_skipped_even_if_validation_is_strict(
    client: httpx.AsyncClient,
) -> None:
    """Protobuf has no names to complain about."""
    message = encode_message("v1", "ConfigMap", config_map("x", a="b"))
    body = enveloped("v1", "ConfigMap", message, b"\xa2\x06\x03abc")
    answer = await client.post(f"{MAPS}?fieldValidation=Strict", content=body, headers=SEND)
    assert answer.json()["data"] == {"a": "b"}
    assert "warning" not in answer.headers


async def test_errors_come_as_the_client_asked(client: httpx.AsyncClient) -> None:
    """A Status in protobuf, with its details and causes."""
    status = read(await client.get(f"{PODS}/none", headers=ASK), 404)
    assert status["details"] == {"name": "none", "kind": "pods"}
    body = encode_object(deployment("Not_A_Name", 1))
    invalid = read(await client.post(DEPLOYMENTS, content=body, headers={**ASK, **SEND}), 422)
    assert invalid["details"]["causes"][0]["field"] == "metadata.name"
    assert read(await client.get("/nothing", headers=ASK), 404)["reason"] == "NotFound"


@pytest.mark.parametrize(
    ("accept", "content_type", "kind"),
    [
        (f"{MEDIA_TYPE},application/json", MEDIA_TYPE, "ConfigMapList"),
        (f"application/json;q=0.5,{MEDIA_TYPE}", MEDIA_TYPE, "ConfigMapList"),
        (f"{MEDIA_TYPE};q=0.5,application/json", "application/json", "ConfigMapList"),
        (f"{MEDIA_TYPE};as=Table;{META},application/json", "application/json", "ConfigMapList"),
        (
            f"{MEDIA_TYPE};as=PartialObjectMetadataList;{META}",
            MEDIA_TYPE,
            "PartialObjectMetadataList",
        ),
        ("text/html,*/*;q=0.8", "application/json", "ConfigMapList"),
        (f"*/*,{MEDIA_TYPE}", MEDIA_TYPE, "ConfigMapList"),
    ],
    ids=["both", "q", "json preferred", "no table", "metadata", "browser", "named first"],
)
async def test_the_best_form_that_there_is(
    client: httpx.AsyncClient, accept: str, content_type: str, kind: str
) -> None:
    """Clauses are tried in order of quality."""
    await client.post(MAPS, json=config_map("a"))
    answer = await client.get(MAPS, headers={"accept": accept})
    assert answer.headers["content-type"] == content_type
    found = decode_object(answer.content) if content_type == MEDIA_TYPE else answer.json()
    assert found["kind"] == kind
    assert found["items"][0]["metadata"]["name"] == "a"


async def test_a_table_has_no_protobuf_form(client: httpx.AsyncClient) -> None:
    """Asked for nothing else, the answer is 406."""
    answer = await client.get(MAPS, headers={"accept": f"{MEDIA_TYPE};as=Table;{META}"})
    assert answer.status_code == 406
    assert answer.json()["message"] == (
        "only the following media types are accepted: application/json, application/yaml, "
        "application/vnd.kubernetes.protobuf"
    )


async def test_a_patch_is_json_or_yaml(client: httpx.AsyncClient) -> None:
    """415 for one that is protobuf."""
    answer = await client.patch(f"{MAPS}/a", content=b"k8s\x00", headers=SEND)
    assert answer.status_code == 415


@pytest.fixture
def things(store: Store) -> str:
    """The path of a custom kind, whose objects are shaped like ConfigMaps."""
    names = {"plural": "things", "kind": "ConfigMap", "singular": "thing"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"scale": scale},
    }
    crd = {
        "metadata": {"name": "things.example.com", "uid": "1"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
        "status": {
            "acceptedNames": names,
            "conditions": [{"type": "Established", "status": "True"}],
        },
    }
    store.serve(store.registry.extended(kinds_of(crd, "1.35")))
    return "/apis/example.com/v1/namespaces/default/things"


async def test_custom_kinds_have_metadata_only(client: httpx.AsyncClient, things: str) -> None:
    """They fall back to JSON, are refused as bodies, and their metadata alone is protobuf."""
    thing = {**config_map("a"), "apiVersion": "example.com/v1", "spec": {"replicas": 2}}
    assert (await client.post(things, json=thing)).status_code == 201
    both = {"accept": f"{MEDIA_TYPE},application/json"}
    assert (await client.get(f"{things}/a", headers=both)).json()["kind"] == "ConfigMap"
    assert (await client.get(things, headers=both)).headers["content-type"] == "application/json"
    assert (await client.get(things, headers=ASK)).status_code == 406
    answer = await client.post(things, content=encode_object(config_map("b")), headers=SEND)
    assert answer.status_code == 415
    assert answer.json()["message"].endswith("application/json, application/yaml")
    accept = f"{MEDIA_TYPE};as=PartialObjectMetadata;{META}"
    partial = read(await client.get(f"{things}/a", headers={"accept": accept}))
    assert (partial["kind"], partial["metadata"]["name"]) == ("PartialObjectMetadata", "a")
    scale = read(await client.get(f"{things}/a/scale", headers=ASK))
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 2})


class Frames:
    """A watch without HTTP, its frames decoded."""

    def __init__(self, app: ApiApplication) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.content_type = ""
        self.ready = asyncio.Event()
        self._app = app
        self._gone = asyncio.Event()

    async def watch(self, path: str, accept: str, until: Callable[[Frames], bool]) -> None:
        """Collect events until there are enough."""
        scope = {
            "type": "http",
            "method": "GET",
            "path": path.partition("?")[0],
            "query_string": path.partition("?")[2].encode(),
            "headers": [
                (b"authorization", b"Bearer secret-token"),
                (b"accept", accept.encode()),
            ],
        }

        async def receive() -> dict[str, Any]:
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200
                self.content_type = dict(message["headers"])[b"content-type"].decode()
                return
            self._read(message["body"])
            self.ready.set()
            if until(self):
                self._gone.set()

        async with asyncio.timeout(10):
            await self._app(scope, receive, send)

    def _read(self, data: bytes) -> None:
        while data:
            length = int.from_bytes(data[:4], "big")
            fields = scalars(data[4 : 4 + length])
            type_, raw = fields[1], fields[2]
            assert isinstance(type_, bytes)
            assert isinstance(raw, bytes)
            obj = scalars(raw)[1]
            assert isinstance(obj, bytes)
            self.events.append((type_.decode(), decode_object(obj)))
            data = data[4 + length :]


async def test_a_watch_sends_frames(app: ApiApplication, client: httpx.AsyncClient) -> None:
    """What is there first, the bookmark, then changes, each in its envelope; the stream says so."""
    await client.post(MAPS, json=config_map("a"))
    frames = Frames(app)
    path = (
        f"{MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&allowWatchBookmarks=true&resourceVersion=0"
    )
    watching = asyncio.create_task(
        frames.watch(path, MEDIA_TYPE, lambda seen: len(seen.events) >= 4)
    )
    await frames.ready.wait()
    await client.post(MAPS, json=config_map("b", x="y"))
    await client.delete(f"{MAPS}/b")
    await watching
    assert frames.content_type == f"{MEDIA_TYPE};stream=watch"
    assert [type_ for type_, _ in frames.events] == ["ADDED", "BOOKMARK", "ADDED", "DELETED"]
    bookmark = frames.events[1][1]
    annotations = bookmark["metadata"]["annotations"]
    assert annotations["k8s.io/initial-events-end"] == "true"
    blueprint = base64.b64decode(annotations["kubernetes.io/initial-events-list-blueprint"])
    assert decode_object(blueprint)["kind"] == "ConfigMapList"
    assert bookmark["kind"] == "ConfigMap"
    added = frames.events[2][1]
    assert (added["apiVersion"], added["kind"], added["data"]) == ("v1", "ConfigMap", {"x": "y"})


async def test_a_watch_of_metadata_sends_frames(
    app: ApiApplication, client: httpx.AsyncClient
) -> None:
    """Metadata informers ask for it."""
    await client.post(MAPS, json=config_map("a", x="y"))
    frames = Frames(app)
    accept = f"{MEDIA_TYPE};as=PartialObjectMetadata;{META}"
    await frames.watch(f"{MAPS}?watch=true", accept, lambda seen: bool(seen.events))
    type_, partial = frames.events[0]
    assert (type_, partial["kind"]) == ("ADDED", "PartialObjectMetadata")
    assert partial["apiVersion"] == "meta.k8s.io/v1"
    assert "data" not in partial


@pytest.mark.parametrize("path", ["/api", "/apis", "/apis/apps", "/apis/apps/v1", "/api/v1"])
async def test_discovery_is_protobuf_too(client: httpx.AsyncClient, path: str) -> None:
    """Clients that are set to protobuf ask for it everywhere."""
    json = (await client.get(path)).json()
    found = read(await client.get(path, headers=ASK))
    assert found["kind"] == json["kind"]
    for name in ("groups", "versions", "resources"):
        assert len(found.get(name, ())) == len(json.get(name, ()))


async def test_large_answers_are_compressed_and_streams_are_not(
    app: ApiApplication, client: httpx.AsyncClient
) -> None:
    """From 128 KiB on, whatever the encoding, and caches are told."""
    for name in ("a", "b"):
        await client.post(MAPS, json=config_map(name, big="x" * 100_000))
    one = await client.get(f"{MAPS}/a", headers=ASK)
    assert "content-encoding" not in one.headers
    both = await client.get(MAPS, headers=ASK)
    assert both.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in both.headers["vary"]
    assert len(read(both)["items"]) == 2
    frames = Frames(app)
    await frames.watch(f"{MAPS}?watch=true", MEDIA_TYPE, lambda seen: len(seen.events) >= 2)
    assert len(frames.events) == 2


async def test_whatever_is_stored_can_be_encoded(client: httpx.AsyncClient) -> None:
    """Nulls and maps that hold nothing do not break an answer."""
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "annotations": None, "labels": {"a": "1"}},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": None}},
    }
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    made = await client.post(path, json=budget, headers=ASK)
    assert read(made, 201)["spec"]["maxUnavailable"] == 1


async def test_a_watch_from_too_long_ago_ends_with_a_frame() -> None:
    """The ERROR event's Status is protobuf as well."""
    async with ActorSystem("protobuf") as system:
        limits = WindowLimits(events=10)
        store = await Store.open(system, MemoryLog(), registry("1.35"), limits=limits)
        for number in range(20):
            data = config_map(f"m{number}")
            await store.create(data, resource="configmaps", namespace="default")
        frames = Frames(ApiApplication(store))
        path = f"{MAPS}?watch=true&resourceVersion=1"
        await frames.watch(path, MEDIA_TYPE, lambda seen: bool(seen.events))
    [(type_, status)] = frames.events
    assert (type_, status["kind"], status["code"]) == ("ERROR", "Status", 410)
    assert status["reason"] == "Expired"


async def test_a_body_nested_without_end_is_refused(client: httpx.AsyncClient) -> None:
    """A schema that says "not" ten thousand times costs the client a 400, and nobody else."""
    schema = b""
    for _ in range(10_000):
        schema = field(28, schema)
    version = field(1, "v1") + field(4, field(1, schema))
    body = enveloped(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, field(7, version))
    )
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    answer = await client.post(path, content=body, headers=SEND)
    assert answer.status_code == 400, answer.text
    assert (await client.get(MAPS)).status_code == 200
