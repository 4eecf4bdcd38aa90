"""Definitions come, conflict, change and go, and their objects with them."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.controllers.definitions import DefinitionController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import registry
from orchestrator.store import EventRecorder, Store

MERGE = {"content-type": "application/merge-patch+json"}


async def test_a_definition_gets_its_names_and_conditions(api: Any, made: Any) -> None:
    """Defaults are filled in, names accepted, the kind established."""
    crd = await api.define(made.definition())
    assert crd["spec"]["names"] == {
        "plural": "crontabs",
        "kind": "CronTab",
        "singular": "crontab",
        "listKind": "CronTabList",
    }
    assert crd["spec"]["conversion"] == {"strategy": "None"}
    assert crd["status"]["storedVersions"] == ["v1"]
    assert [
        (c["type"], c["status"], c["reason"], c["message"]) for c in crd["status"]["conditions"]
    ] == [
        ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
        (
            "Established",
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
    ]


async def test_names_that_are_taken_are_refused_until_they_are_free(api: Any, made: Any) -> None:
    """The second definition waits, with a reason, and gets the names when the first has gone."""
    await api.define(made.definition(names={"shortNames": ["ct"]}))
    second = made.definition(plural="others", kind="Other", names={"shortNames": ["ct"]})
    await api.client.post(made.CRDS, json=second)
    refused = await api.settled("others.stable.example.com", "NamesAccepted", "False")
    condition = refused["status"]["conditions"][0]
    assert (condition["reason"], condition["message"]) == (
        "ShortNamesConflict",
        '"ct" is already in use',
    )
    assert (await api.client.get(api.path(plural="others"))).status_code == 404
    await api.client.delete(f"{made.CRDS}/crontabs.stable.example.com")
    await api.settled("others.stable.example.com", "Established")
    assert (await api.client.get(api.path(plural="others"))).status_code == 200


async def test_objects_go_before_their_definition(api: Any, made: Any, store: Store) -> None:
    """An object that a finalizer holds keeps its definition; no new ones are taken meanwhile."""
    await api.define(made.definition())
    await api.create(made.instance("plain"))
    held = made.instance("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await api.create(held)
    answer = await api.client.delete(f"{made.CRDS}/crontabs.stable.example.com")
    assert answer.status_code == 200
    crd = await api.settled("crontabs.stable.example.com", "Terminating")
    assert crd["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    refused = await api.create(made.instance("late"), 405)
    assert refused["message"] == (
        "create not allowed while custom resource definition is terminating"
    )
    while store.get("crontabs.stable.example.com", "default", "plain") is not None:
        await store.wait_sequence(store.sequence + 1)
    assert (await api.client.get(api.path("held"))).json()["metadata"]["deletionTimestamp"]
    await api.client.patch(
        api.path("held"), content=orjson.dumps({"metadata": {"finalizers": None}}), headers=MERGE
    )
    while store.get(made.RESOURCE, "", "crontabs.stable.example.com") is not None:
        await store.wait_sequence(store.sequence + 1)
    assert (await api.client.get(api.path())).status_code == 404
    groups = (await api.client.get("/apis")).json()["groups"]
    assert made.GROUP not in [group["name"] for group in groups]


async def test_a_watch_ends_with_its_definition(api: Any, made: Any) -> None:
    """What happened to the last objects is told, then the stream is over."""
    await api.define(made.definition())
    await api.create(made.instance())

    async def watched() -> list[str]:
        answer = await api.client.get(api.path(), params={"watch": "1"})
        return [orjson.loads(line)["type"] for line in answer.text.splitlines()]

    watching = asyncio.create_task(watched())
    await asyncio.sleep(0)
    await api.client.delete(f"{made.CRDS}/crontabs.stable.example.com")
    assert await asyncio.wait_for(watching, 10) == ["ADDED", "DELETED"]


async def test_the_collector_follows_custom_kinds(made: Any) -> None:
    """A dependent of a custom object goes with it, though the kind came after the collector."""
    async with ActorSystem("custom-test") as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        recorder = EventRecorder(store, "test")
        system.spawn(lambda: GarbageCollector(store, recorder), "collector")
        system.spawn(lambda: DefinitionController(store, recorder), "definitions")
        await store.create(made.definition(), resource=made.RESOURCE)
        while "crontabs.stable.example.com" not in made.served(store):
            await store.wait_sequence(store.sequence + 1)
        owner = await store.create(
            made.instance(), resource="crontabs.stable.example.com", namespace="default"
        )
        reference = {
            "apiVersion": f"{made.GROUP}/v1",
            "kind": "CronTab",
            "name": "one",
            "uid": owner["metadata"]["uid"],
        }
        await store.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "owned", "ownerReferences": [reference]},
            },
            resource="configmaps",
            namespace="default",
        )
        await store.delete("crontabs.stable.example.com", "default", "one")
        while store.get("configmaps", "default", "owned") is not None:
            await store.wait_sequence(store.sequence + 1)


async def test_a_restart_serves_what_was_there(made: Any) -> None:
    """A store opened on a log with definitions serves their kinds at once."""
    log = MemoryLog()
    async with ActorSystem("first") as system:
        store = await Store.open(system, log, registry("1.35"))
        recorder = EventRecorder(store, "test")
        system.spawn(lambda: DefinitionController(store, recorder), "definitions")
        await store.create(made.definition(), resource=made.RESOURCE)
        while "crontabs.stable.example.com" not in made.served(store):
            await store.wait_sequence(store.sequence + 1)
        await store.create(
            made.instance(), resource="crontabs.stable.example.com", namespace="default"
        )
    async with ActorSystem("second") as system:
        again = await Store.open(system, log, registry("1.35"))
        assert "crontabs.stable.example.com" in made.served(again)
        assert [obj["metadata"]["name"] for obj in again.list("crontabs.stable.example.com")] == [
            "one"
        ]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_versions_without_a_webhook_differ_in_name_only(
    api: Any, made: Any, version: str
) -> None:
    """Whatever version an object was written in, every served version shows it."""
    crd = made.definition({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    first = crd["spec"]["versions"][0]
    crd["spec"]["versions"].append({**first, "name": "v2", "storage": False})
    await api.define(crd)
    created = await api.create(made.instance(version=version, spec={"a": 1}))
    assert created["apiVersion"] == f"{made.GROUP}/{version}"
    stored = api.store.get("crontabs.stable.example.com", "default", "one")
    assert stored["apiVersion"] == f"{made.GROUP}/v1"
    for asked in ("v1", "v2"):
        shown = (await api.client.get(api.path("one", version=asked))).json()
        assert (shown["apiVersion"], shown["spec"]) == (f"{made.GROUP}/{asked}", {"a": 1})
    groups = (await api.client.get(f"/apis/{made.GROUP}")).json()
    assert [one["version"] for one in groups["versions"]] == ["v2", "v1"]


async def test_an_application_made_later_knows_the_kinds(api: Any, made: Any) -> None:
    """Discovery documents and OpenAPI follow the definitions without delay."""
    app = ApiApplication(api.store, ApiConfig())
    assert app.config.address == ""
    before = (await api.client.get("/openapi/v3")).json()["paths"]
    await api.define(made.definition())
    after = (await api.client.get("/openapi/v3")).json()["paths"]
    assert set(after) - set(before) == {"apis/stable.example.com/v1"}
    document = (await api.client.get("/openapi/v3/apis/stable.example.com/v1")).json()
    schemas = document["components"]["schemas"]
    published = schemas["com.example.stable.v1.CronTab"]
    assert published["x-kubernetes-group-version-kind"] == [
        {"group": "stable.example.com", "kind": "CronTab", "version": "v1"}
    ]
    assert set(published["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    path = "/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}"
    names = {one["name"] for one in document["paths"][path]["patch"]["parameters"]}
    assert {"fieldValidation", "dryRun", "fieldManager", "force"} <= names
    listed = (await api.client.get("/apis/stable.example.com/v1")).json()["resources"]
    assert [one["name"] for one in listed] == ["crontabs"]


async def test_objects_from_before_show_the_defaults_of_today(api: Any, made: Any) -> None:
    """What a changed schema adds and drops is seen at once, and stored with the next write."""
    properties: dict[str, Any] = {"old": {"type": "integer"}}
    crd = await api.define(made.definition({"type": "object", "properties": properties}))
    await api.create(made.instance(spec={"old": 1}))
    changed = made.definition(
        {"type": "object", "properties": {"new": {"type": "string", "default": "yes"}}}
    )
    changed["metadata"]["resourceVersion"] = crd["metadata"]["resourceVersion"]
    path = f"{made.CRDS}/crontabs.stable.example.com"
    answer = await api.client.put(path, json=changed)
    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["generation"] == 2
    shown = (await api.client.get(api.path("one"))).json()
    assert shown["spec"] == {"new": "yes"}
    listed = (await api.client.get(api.path())).json()
    assert [obj["spec"] for obj in listed["items"]] == [{"new": "yes"}]
    labelled = orjson.dumps({"metadata": {"labels": {"a": "b"}}})
    await api.client.patch(api.path("one"), content=labelled, headers=MERGE)
    stored = api.store.get("crontabs.stable.example.com", "default", "one")
    assert stored["spec"] == {"new": "yes"}


async def test_swagger_leaves_out_what_its_clients_would_take_amiss(api: Any, made: Any) -> None:
    """No alternatives, no nulls, and nothing inside of what may hold anything."""
    schema = {
        "type": "object",
        "description": "What it should be.",
        "anyOf": [{"required": ["a"]}],
        "properties": {
            "a": {"type": "string", "nullable": True, "description": "A."},
            "free": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"b": {"type": "string"}},
            },
            "port": {
                "x-kubernetes-int-or-string": True,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
            },
        },
    }
    await api.define(made.definition(schema))
    name = "com.example.stable.v1.CronTab"
    swagger = (await api.client.get("/openapi/v2")).json()
    assert swagger["definitions"][name]["properties"]["spec"] == {
        "type": "object",
        "description": "What it should be.",
        "properties": {
            "a": {"description": "A."},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "port": {"x-kubernetes-int-or-string": True},
        },
    }
    assert set(swagger["definitions"][f"{name}List"]["properties"]) == {
        "apiVersion",
        "items",
        "kind",
        "metadata",
    }
    group = (await api.client.get("/openapi/v3/apis/stable.example.com/v1")).json()
    assert group["components"]["schemas"][name]["properties"]["spec"] == schema


async def test_objects_left_behind_harm_nobody(made: Any) -> None:
    """Of a definition whose finalizer was taken away; they are there again when it is back."""
    async with ActorSystem("custom-test") as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        recorder = EventRecorder(store, "test")
        system.spawn(lambda: GarbageCollector(store, recorder), "collector")
        definitions = system.spawn(lambda: DefinitionController(store, recorder), "definitions")
        await store.create(made.definition(), resource=made.RESOURCE)
        resource = "crontabs.stable.example.com"
        while resource not in made.served(store):
            await store.wait_sequence(store.sequence + 1)
        owner = await store.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}},
            resource="configmaps",
            namespace="default",
        )
        left = made.instance()
        left["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": "owner",
                "uid": owner["metadata"]["uid"],
            }
        ]
        await store.create(left, resource=resource, namespace="default")
        await system.stop(definitions)
        await store.delete(made.RESOURCE, "", resource)
        await store.modify(
            made.RESOURCE,
            "",
            resource,
            lambda crd: {**crd, "metadata": {**crd["metadata"], "finalizers": []}},
        )
        assert resource not in made.served(store)
        with pytest.raises(StatusError, match="could not find the requested resource"):
            await store.create(made.instance("late"), resource=resource, namespace="default")
        await store.delete("configmaps", "default", "owner")
        await asyncio.sleep(0.05)
        assert [obj["metadata"]["name"] for obj in store.list(resource)] == ["one"]
        system.spawn(lambda: DefinitionController(store, recorder), "again")
        await store.create(made.definition(), resource=made.RESOURCE)
        while resource not in made.served(store):
            await store.wait_sequence(store.sequence + 1)
        assert (await store.modify(resource, "default", "one", lambda obj: None))["kind"] == (
            "CronTab"
        )


async def test_a_status_that_a_user_wrote_serves_the_names_of_the_spec(api: Any, made: Any) -> None:
    """Conditions and names are anyone's to write; a kind is never left without a name."""
    await api.define(made.definition())
    path = f"{made.CRDS}/crontabs.stable.example.com/status"
    for names in ({"plural": "", "kind": ""}, {"plural": "others", "kind": "Other"}):
        body = orjson.dumps({"status": {"acceptedNames": names}})
        answer = await api.client.patch(path, content=body, headers=MERGE)
        assert answer.status_code == 200, answer.text
        assert (await api.client.get(api.path())).status_code == 200
    settled = api.store.sequence + 1
    await api.store.wait_sequence(settled)
    await api.create(made.instance())


async def test_a_definition_that_is_no_longer_served_still_takes_its_objects_along(
    api: Any, made: Any, store: Store
) -> None:
    """Whatever somebody wrote into its status, its deletion comes to an end."""
    await api.define(made.definition())
    await api.create(made.instance())
    path = f"{made.CRDS}/crontabs.stable.example.com"
    names = {"plural": "crontabs", "kind": "CronTab"}
    written = {
        "conditions": [{"type": "Established", "status": "False"}],
        "acceptedNames": names,
    }
    body = orjson.dumps({"status": written})
    answer = await api.client.patch(f"{path}/status", content=body, headers=MERGE)
    assert answer.status_code == 200, answer.text
    await api.client.delete(path)
    while store.get(made.RESOURCE, "", "crontabs.stable.example.com") is not None:
        await store.wait_sequence(store.sequence + 1)
    assert store.list("crontabs.stable.example.com") == []


async def test_a_wrong_scale_is_told(api: Any, made: Any) -> None:
    """A body that is no Scale is refused by its types, in the decoder's words."""
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    schema = {"type": "object", "properties": {"size": {"type": "integer"}}}
    await api.define(made.definition(schema, subresources={"status": {}, "scale": scale}))
    await api.create(made.instance(spec={"size": 1}))
    wrong = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": [1]}
    answer = await api.client.put(api.path("one") + "/scale", json=wrong)
    assert answer.status_code == 400
    assert (
        "json: cannot unmarshal array into Go struct field Scale.spec" in (answer.json()["message"])
    )
