"""Requests in process: who is let in, what is refused and in which words."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from typing import Any

import httpx
import orjson
import pytest

from orchestrator.api import ApiApplication
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.store import Store
from orchestrator.store.admission import Admission

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"content-type": "application/merge-patch+json"}

LAUGHS = b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (level, level, b", ".join([b"*a%d" % (level - 1)] * 10))
    for level in range(1, 10)
)


def config_map(name: str, **data: str) -> dict[str, Any]:
    """Make a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data,
    }


def refused(response: httpx.Response, code: int, reason: str) -> str:
    """Check that the answer is a Status of that kind; returns its message."""
    status = response.json()
    assert (response.status_code, status["kind"], status["status"]) == (code, "Status", "Failure")
    assert (status["code"], status["reason"]) == (code, reason)
    return str(status["message"])


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz/ping"])
async def test_health_needs_no_token(app: ApiApplication, path: str) -> None:
    """As upstream, a load balancer may ask without credentials."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://api"
    ) as stranger:
        assert (await stranger.get(path)).status_code == 200
        assert "system:anonymous" in refused(await stranger.get(PODS), 403, "Forbidden")
        wrong = {"authorization": "Bearer guess"}
        refused(await stranger.get(path, headers=wrong), 401, "Unauthorized")


async def test_an_object_lives_its_life(client: httpx.AsyncClient) -> None:
    """Create, read, replace, patch in four ways, delete."""
    created = await client.post(MAPS, json=config_map("a", x="1"))
    assert created.status_code == 201
    stored = created.json()
    assert stored["metadata"]["uid"]
    assert (await client.get(f"{MAPS}/a")).json() == stored
    replaced = await client.put(f"{MAPS}/a", json={**stored, "data": {"x": "2"}})
    assert replaced.json()["data"] == {"x": "2"}
    stale = await client.put(f"{MAPS}/a", json={**stored, "data": {"x": "3"}})
    assert "the object has been modified" in refused(stale, 409, "Conflict")
    merged = await client.patch(f"{MAPS}/a", content=b'{"data":{"y":"1"}}', headers=MERGE)
    assert merged.json()["data"] == {"x": "2", "y": "1"}
    strategic = {"content-type": "application/strategic-merge-patch+json"}
    await client.patch(f"{MAPS}/a", content=b'{"data":{"x":null}}', headers=strategic)
    operations = {"content-type": "application/json-patch+json"}
    body = b'[{"op":"add","path":"/data/z","value":"9"}]'
    patched = await client.patch(f"{MAPS}/a", content=body, headers=operations)
    assert patched.json()["data"] == {"y": "1", "z": "9"}
    apply = {"content-type": "application/apply-patch+yaml"}
    text = "apiVersion: v1\nkind: ConfigMap\ndata: {w: '2026-01-02'}\n"
    applied = await client.patch(f"{MAPS}/a?fieldManager=me", content=text, headers=apply)
    assert applied.json()["data"]["w"] == "2026-01-02"
    deleted = (await client.delete(f"{MAPS}/a")).json()
    assert deleted["status"] == "Success"
    assert deleted["details"]["uid"] == stored["metadata"]["uid"]
    message = refused(await client.get(f"{MAPS}/a"), 404, "NotFound")
    assert message == 'configmaps "a" not found'


@pytest.mark.parametrize(
    ("body", "content_type", "code", "words"),
    [
        (b'{"kind":', "application/json", 400, "must be of type ConfigMap"),
        (b"", "application/json", 400, "<empty>"),
        (b"[1]", "application/json", 400, "cannot unmarshal"),
        (b"a: [b", "application/yaml", 400, "yaml"),
        (b"a: " + b"[" * 100_000, "application/yaml", 400, "exceeded max depth"),
        (b"- " * 100_000, "application/yaml", 400, "exceeded max depth"),
        (LAUGHS, "application/yaml", 400, "excessive aliasing"),
        (b"\xff\xfe", "application/json", 400, "must be of type"),
        (b"{}", "text/plain", 415, "the body of the request was in an unknown format"),
        (b"k8s\x00\xff\xff", "application/vnd.kubernetes.protobuf", 400, "must be of type"),
        (b"nothing", "application/vnd.kubernetes.protobuf", 400, "expected prefix 6b387300"),
        (b" " * (10 << 20), "application/json", 413, "limit is 3145728"),
    ],
    ids=[
        "cut",
        "empty",
        "list",
        "yaml",
        "deep",
        "dashes",
        "laughs",
        "bytes",
        "type",
        "protobuf",
        "no-magic",
        "10MB",
    ],
)
async def test_bad_bodies_are_refused(
    client: httpx.AsyncClient, body: bytes, content_type: str, code: int, words: str
) -> None:
    """Each with its code and upstream's words; the server goes on."""
    answer = await client.post(MAPS, content=body, headers={"content-type": content_type})
    assert answer.status_code == code, answer.text
    assert words in answer.json()["message"]
    assert (await client.get(MAPS)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/apis/nobody/v1/things", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/api/v1/pods/name", 404),
        ("GET", f"{PODS}/x/nothing", 404),
        ("POST", "/api/v1/pods", 405),
        ("PUT", PODS, 405),
        ("POST", "/version", 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", f"{PODS}?limit=many", 400),
        ("GET", f"{PODS}?labelSelector=,,", 400),
        ("GET", f"{PODS}?fieldSelector=spec.color=red", 400),
        ("GET", f"{PODS}?resourceVersion=old", 400),
        ("GET", f"{PODS}?resourceVersionMatch=Exact", 422),
        ("GET", f"{PODS}?continue=nonsense", 400),
        ("POST", f"{MAPS}?dryRun=Some", 422),
        ("POST", f"{MAPS}?fieldValidation=Sometimes", 422),
        ("GET", f"{PODS}/x/exec", 404),
        ("PUT", f"{PODS}/x/exec", 405),
    ],
)
async def test_requests_that_make_no_sense(
    client: httpx.AsyncClient, method: str, path: str, code: int
) -> None:
    """Each is a Status with the right code."""
    answer = await client.request(method, path)
    assert answer.status_code == code, answer.text
    assert answer.json()["kind"] == "Status"
    assert answer.json()["code"] == code


async def test_no_encoding_in_common_is_406(client: httpx.AsyncClient) -> None:
    """The refusal itself is JSON."""
    answer = await client.get(PODS, headers={"accept": "image/png"})
    refused(answer, 406, "NotAcceptable")


async def test_what_could_not_be_listed_again_is_refused(client: httpx.AsyncClient) -> None:
    """Whether it comes as JSON, YAML or in a patch: one bad object must not spoil the list."""
    path = "/apis/apps/v1/namespaces/default/controllerrevisions"
    deep = b'{"metadata":{"name":"a"},"revision":1,"data":' + b'{"a":' * 260 + b"1" + b"}" * 261
    refused(await client.post(path, content=deep), 400, "BadRequest")
    large = b"metadata: {name: a}\nrevision: 1\ndata: {a: 99999999999999999999}"
    yaml = {"content-type": "application/yaml"}
    refused(await client.post(path, content=large, headers=yaml), 400, "BadRequest")
    good = {"metadata": {"name": "a"}, "revision": 1, "data": {"a": {}}}
    assert (await client.post(path, json=good)).status_code == 201
    nest = [{"op": "copy", "from": "/data", "path": "/data/a"} for _ in range(300)]
    patch = {"content-type": "application/json-patch+json"}
    refused(await client.patch(f"{path}/a", json=nest, headers=patch), 400, "BadRequest")
    assert len((await client.get(path)).json()["items"]) == 1


async def test_forms_of_a_list(client: httpx.AsyncClient) -> None:
    """JSON, YAML, Table and metadata only, as the Accept header asks."""
    await client.post(MAPS, json=config_map("a", x="1"))
    plain = (await client.get(MAPS)).json()
    assert (plain["kind"], len(plain["items"])) == ("ConfigMapList", 1)
    yaml = await client.get(MAPS, headers={"accept": "application/yaml"})
    assert yaml.text.startswith("apiVersion: v1\n")
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = (await client.get(MAPS, headers={"accept": accept})).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 1]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    partial = (await client.get(MAPS, headers={"accept": accept})).json()
    assert partial["kind"] == "PartialObjectMetadataList"
    assert "data" not in partial["items"][0]
    unknown = "application/octet-stream,application/json"
    answer = await client.get(MAPS, headers={"accept": unknown})
    assert answer.headers["content-type"] == "application/json"


async def test_pages_of_a_list(client: httpx.AsyncClient) -> None:
    """Limit and continue walk through everything once."""
    for name in "abcde":
        await client.post(MAPS, json=config_map(name))
    names: list[str] = []
    token = ""
    while True:
        page = (await client.get(MAPS, params={"limit": "2", "continue": token})).json()
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names == list("abcde")


async def test_large_answers_are_compressed(client: httpx.AsyncClient) -> None:
    """Only above the threshold, and only when the client takes gzip."""
    small = await client.get(MAPS, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers
    for name in "abc":
        await client.post(MAPS, json=config_map(name, blob="x" * 100_000))
    large = await client.get(MAPS, headers={"accept-encoding": "gzip"})
    assert large.headers["content-encoding"] == "gzip"
    assert len(large.json()["items"]) == 3


async def test_discovery_in_both_forms(client: httpx.AsyncClient) -> None:
    """One request for everything when it is asked for, the old documents otherwise."""
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = await client.get("/apis", headers={"accept": accept})
    assert answer.headers["content-type"].endswith("as=APIGroupDiscoveryList")
    groups = {item["metadata"]["name"]: item for item in answer.json()["items"]}
    resources = {entry["resource"]: entry for entry in groups["apps"]["versions"][0]["resources"]}
    assert resources["deployments"]["shortNames"] == ["deploy"]
    again = await client.get(
        "/apis", headers={"accept": accept, "if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    assert (await client.get("/apis")).json()["kind"] == "APIGroupList"
    listed = (await client.get("/apis/apps/v1")).json()
    names = {entry["name"] for entry in listed["resources"]}
    assert {"deployments", "deployments/scale", "deployments/status"} <= names
    assert (await client.get("/apis/apps")).json()["preferredVersion"]["version"] == "v1"


async def test_openapi_documents(client: httpx.AsyncClient) -> None:
    """Version 3 by group, version 2 whole, and the protobuf form for old kubectl."""
    index = (await client.get("/openapi/v3")).json()
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    document = await client.get(url)
    assert "/apis/apps/v1/namespaces/{namespace}/deployments" in document.json()["paths"]
    headers = {"if-none-match": document.headers["etag"]}
    assert (await client.get(url, headers=headers)).status_code == 304
    refused(await client.get("/openapi/v3/apis/nobody/v1"), 404, "NotFound")
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    old = await client.get("/openapi/v2", headers={"accept": accept})
    assert old.content.startswith(b"\x0a\x032.0")
    assert b"fieldValidation" in old.content
    assert b"Pod is a collection of containers" in old.content


async def test_unknown_fields_warn_or_are_refused(client: httpx.AsyncClient) -> None:
    """FieldValidation decides; the default warns."""
    body = {**config_map("a"), "colour": "red"}
    warned = await client.post(MAPS, json=body)
    assert warned.status_code == 201
    assert warned.headers["warning"] == '299 - "unknown field \\"colour\\""'
    strict = await client.post(
        f"{MAPS}?fieldValidation=Strict", json={**body, "metadata": {"name": "b"}}
    )
    assert 'unknown field "colour"' in refused(strict, 400, "BadRequest")
    quiet = await client.post(
        f"{MAPS}?fieldValidation=Ignore", json={**body, "metadata": {"name": "c"}}
    )
    assert "warning" not in quiet.headers


async def test_reviews_know_the_one_user(client: httpx.AsyncClient) -> None:
    """Whoami and can-i are answered, not stored."""
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    me = (await client.post(path, json={})).json()["status"]["userInfo"]
    assert "system:masters" in me["groups"]
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    right = (await client.post(path, json={"spec": {"token": "secret-token"}})).json()
    assert right["status"]["authenticated"] is True
    wrong = (await client.post(path, json={"spec": {"token": "guess"}})).json()
    assert "authenticated" not in wrong["status"]
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    spec = {"user": "eve", "resourceAttributes": {"verb": "get", "resource": "pods"}}
    assert (await client.post(path, json={"spec": spec})).json()["status"] == {"allowed": False}


async def test_a_fault_is_a_500_and_no_more(
    app: ApiApplication, client: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception becomes an InternalError Status; the next request is answered."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bolt came loose")

    with monkeypatch.context() as patched:
        patched.setattr(store, "get", broken)
        message = refused(await client.get(f"{MAPS}/a"), 500, "InternalError")
        assert message == "Internal error occurred: a bolt came loose"
    refused(await client.get(f"{MAPS}/a"), 404, "NotFound")


async def test_a_fuzzed_body_never_breaks_the_server(client: httpx.AsyncClient) -> None:
    """Every truncation of a valid protobuf body is an object or a 400."""
    metadata = b"\x0a\x01p"
    body = b"\x0a" + bytes([len(metadata)]) + metadata
    kind = b"\x0a\x02v1\x12\x09ConfigMap"
    whole = b"k8s\x00\x0a" + bytes([len(kind)]) + kind + b"\x12" + bytes([len(body)]) + body
    headers = {"content-type": "application/vnd.kubernetes.protobuf"}
    for length in range(len(whole)):
        answer = await client.post(f"{MAPS}?dryRun=All", content=whole[:length], headers=headers)
        assert answer.status_code in (400, 422), answer.text
    answer = await client.post(MAPS, content=whole, headers=headers)
    assert answer.json()["metadata"]["name"] == "p"


async def lines(app: ApiApplication, path: str, ready: asyncio.Event, count: int) -> list[Any]:
    """Watch without HTTP: collect ``count`` events, then leave."""
    found: list[Any] = []
    gone = asyncio.Event()
    query = path.partition("?")[2].encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": path.partition("?")[0],
        "query_string": query,
        "headers": [(b"authorization", b"Bearer secret-token")],
    }

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            return
        found.extend(map(json.loads, message["body"].splitlines()))
        ready.set()
        if len(found) >= count:
            gone.set()

    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return found


async def test_a_watch_sees_each_change_once(
    app: ApiApplication, client: httpx.AsyncClient
) -> None:
    """What was there first, then every change in order; a selector turns a change into DELETED."""
    await client.post(
        MAPS, json={**config_map("a"), "metadata": {"name": "a", "labels": {"l": "1"}}}
    )
    ready = asyncio.Event()
    watching = asyncio.create_task(lines(app, f"{MAPS}?watch=true&labelSelector=l=1", ready, 3))
    await ready.wait()
    await client.post(MAPS, json=config_map("unseen"))
    await client.patch(f"{MAPS}/a", content=b'{"data":{"x":"1"}}', headers=MERGE)
    body = b'{"metadata":{"labels":{"l":"2"}}}'
    await client.patch(f"{MAPS}/a", content=body, headers=MERGE)
    events = await watching
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


async def test_initial_events_end_with_a_bookmark(
    app: ApiApplication, client: httpx.AsyncClient
) -> None:
    """sendInitialEvents: clients know when they have everything."""
    await client.post(MAPS, json=config_map("a"))
    path = (
        f"{MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&allowWatchBookmarks=true"
    )
    events = await lines(app, path, asyncio.Event(), 2)
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    annotations = events[1]["object"]["metadata"]["annotations"]
    assert annotations["k8s.io/initial-events-end"] == "true"
    blueprint = base64.b64decode(annotations["kubernetes.io/initial-events-list-blueprint"])
    empty = {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": []}
    assert json.loads(blueprint) == empty


async def test_closing_ends_watches(app: ApiApplication, client: httpx.AsyncClient) -> None:
    """A server that stops does not wait for its watchers."""
    ready = asyncio.Event()
    watching = asyncio.create_task(lines(app, f"{MAPS}?watch=true", ready, 99))
    await ready.wait()
    app.close()
    assert await watching == []


async def test_scale_binding_and_eviction(client: httpx.AsyncClient, store: Store) -> None:
    """The subresources that are not a part of their object."""
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    template = {
        "metadata": {"labels": {"app": "w"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "w"}}, "template": template}
    made = await client.post(deployments, json={"metadata": {"name": "w"}, "spec": spec})
    assert made.status_code == 201, made.text
    scale = (await client.get(f"{deployments}/w/scale")).json()
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == (
        "Scale",
        {"replicas": 2},
        "app=w",
    )
    scale["spec"]["replicas"] = 5
    assert (await client.put(f"{deployments}/w/scale", json=scale)).json()["spec"]["replicas"] == 5
    refused(await client.put(f"{deployments}/w/scale", json=scale), 409, "Conflict")
    await client.post(
        PODS, json={"metadata": {"name": "p", "labels": {"app": "w"}}, "spec": template["spec"]}
    )
    logs = await client.get(f"{PODS}/p/log")
    assert (logs.status_code, logs.text) == (200, "")
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    assert (await client.post(f"{PODS}/p/binding", json=binding)).status_code == 201
    again = refused(await client.post(f"{PODS}/p/binding", json=binding), 409, "Conflict")
    assert 'pod p is already assigned to node "n1"' in again
    waiting = refused(await client.get(f"{PODS}/p/log"), 400, "BadRequest")
    assert waiting == 'container "c" in pod "p" is waiting to start: ContainerCreating'
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    patch = orjson.dumps({"status": ready})
    patched = await client.patch(f"{PODS}/p/status", content=patch, headers=MERGE)
    assert patched.status_code == 200, patched.text
    budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    budget = {
        "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "w"}}},
    }
    assert (await client.post(budgets, json=budget)).status_code == 201
    status = {
        "disruptionsAllowed": 0,
        "desiredHealthy": 1,
        "currentHealthy": 1,
        "expectedPods": 1,
        "observedGeneration": 1,
    }
    await client.patch(
        f"{budgets}/b/status", content=orjson.dumps({"status": status}), headers=MERGE
    )
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    message = refused(
        await client.post(f"{PODS}/p/eviction", json=eviction), 429, "TooManyRequests"
    )
    assert message == "Cannot evict pod as it would violate the pod's disruption budget."
    status["disruptionsAllowed"] = 1
    await client.patch(
        f"{budgets}/b/status", content=orjson.dumps({"status": status}), headers=MERGE
    )
    assert (await client.post(f"{PODS}/p/eviction", json=eviction)).status_code == 201
    spent = store.get("poddisruptionbudgets.policy", "default", "b")
    assert spent is not None
    assert spent["status"]["disruptionsAllowed"] == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"preconditions": "b"}, "string into Go struct field DeleteOptions.preconditions of type"),
        ({"preconditions": {"uid": 1}}, "number into Go struct field DeleteOptions.preconditions."),
        ({"dryRun": 7}, "number into Go struct field DeleteOptions.dryRun of type []string"),
        ({"dryRun": [{}]}, "into Go struct field DeleteOptions.dryRun of type string"),
        ({"gracePeriodSeconds": "1"}, "DeleteOptions.gracePeriodSeconds of type int64"),
        ({"gracePeriodSeconds": True}, "DeleteOptions.gracePeriodSeconds of type int64"),
        ({"propagationPolicy": ["x"]}, "DeleteOptions.propagationPolicy of type"),
        ({"orphanDependents": {}}, "object into Go struct field DeleteOptions.orphanDependents"),
    ],
)
async def test_options_of_a_wrong_type_are_the_callers_mistake(
    client: httpx.AsyncClient, options: dict[str, Any], complaint: str
) -> None:
    """They are 400s and nothing is deleted, also inside an Eviction."""
    assert (await client.post(MAPS, json=config_map("a"))).status_code == 201
    answer = await client.request("DELETE", f"{MAPS}/a", json=options)
    assert complaint in refused(answer, 400, "BadRequest")
    assert (await client.get(f"{MAPS}/a")).status_code == 200
    answer = await client.post(f"{PODS}/a/eviction", json={"deleteOptions": options})
    assert complaint in refused(answer, 400, "BadRequest")


@pytest.mark.parametrize("field", ["metadata", "deleteOptions"])
async def test_an_eviction_with_a_part_of_a_wrong_type_is_refused(
    client: httpx.AsyncClient, field: str
) -> None:
    """It is a 400, not a fault of the server."""
    answer = await client.post(f"{PODS}/a/eviction", json={field: "x"})
    assert f"Go struct field Eviction.{field}" in refused(answer, 400, "BadRequest")


async def test_a_path_without_a_slash_is_answered_and_counted(app: ApiApplication) -> None:
    """``OPTIONS *`` and ``CONNECT host:80`` have such paths; an empty one is the root."""
    sent: list[Any] = []

    async def send(part: Any) -> None:
        sent.append(part)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    for path in ("*", "", "host:80"):
        scope = {
            "type": "http",
            "method": "OPTIONS",
            "path": path,
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer secret-token")],
        }
        await app(scope, receive, send)
    assert [part["status"] for part in sent if "status" in part] == [404, 405, 404]


async def test_a_body_full_of_owners_holds_nobody_up(client: httpx.AsyncClient) -> None:
    """Looking for those that come twice takes no more than reading them."""
    owners = [
        {"apiVersion": "v1", "kind": "P", "name": "a", "uid": str(at)} for at in range(20_000)
    ]
    body = {"metadata": {"name": "a", "ownerReferences": owners}}
    begun = time.process_time()
    assert (await client.post(MAPS, json=body)).status_code == 201
    assert time.process_time() - begun < 5  # it took a minute


async def test_a_body_full_of_mistakes_is_looked_at_beside_the_loop(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are answered meanwhile; a small body is looked at where it is."""
    threads: list[bool] = []
    check = Admission.check_create

    def noted(kind: Kind, obj: Object) -> None:
        threads.append(threading.current_thread() is not threading.main_thread())
        check(kind, obj)

    monkeypatch.setattr(Admission, "check_create", staticmethod(noted))
    for count in (1, 20_000):
        data = {f"k{at}!": "0123456789" for at in range(count)}
        answer = await client.post(MAPS, json=config_map("a", **data))
        refused(answer, 422, "Invalid")
    assert threads == [False, True]
