"""Custom objects that a webhook converts between the versions of their kind."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from orchestrator.store import Store

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = "hosts.example.com"


def _version(name: str, fields: list[str], *, storage: bool) -> dict[str, Any]:
    spec = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
    schema = {"type": "object", "properties": {"spec": spec}}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema},
    }


def _definition(config: dict[str, Any]) -> dict[str, Any]:
    """Build a kind whose v1 has ``hostPort`` where v2 has ``host`` and ``port``."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "hosts", "kind": "Host"},
            "versions": [
                _version("v1", ["hostPort"], storage=True),
                _version("v2", ["host", "port"], storage=False),
            ],
            "conversion": {
                "strategy": "Webhook",
                "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": config},
            },
        },
    }


def _convert(request: dict[str, Any]) -> dict[str, Any]:
    converted = []
    for obj in request["objects"]:
        spec = obj["spec"]
        if request["desiredAPIVersion"] == "example.com/v2":
            host, _, port = spec["hostPort"].partition(":")
            spec = {"host": host, "port": port, "unknown": "pruned"}
        else:
            spec = {"hostPort": f"{spec['host']}:{spec['port']}"}
        metadata = {**obj["metadata"], "labels": {"converted": "yes"}, "generation": 99}
        converted.append(
            {**obj, "apiVersion": request["desiredAPIVersion"], "metadata": metadata, "spec": spec}
        )
    return {"result": {"status": "Success"}, "convertedObjects": converted}


@pytest.fixture
async def hosts(client: httpx.AsyncClient, store: Store, webhook: Any) -> str:
    """Define the kind; returns the path of its objects but for the version."""
    webhook.paths["/convert"] = _convert
    answer = await client.post(CRDS, json=_definition(webhook.config("/convert")))
    assert answer.status_code == 201, answer.text
    while NAME not in {kind.resource for kind in store.registry.kinds()}:
        await store.wait_sequence(store.sequence + 1)
    return "/apis/example.com/{}/namespaces/default/hosts"


def _host(name: str = "one") -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v2",
        "kind": "Host",
        "metadata": {"name": name},
        "spec": {"host": "a", "port": "1"},
    }


async def test_an_object_is_stored_and_shown_in_the_versions_that_are_asked_for(
    client: httpx.AsyncClient, store: Store, hosts: str, webhook: Any
) -> None:
    """The webhook is asked on the way in and out; metadata but labels stays the server's."""
    created = await client.post(hosts.format("v2"), json=_host())
    assert created.status_code == 201, created.text
    assert created.json()["spec"] == {"host": "a", "port": "1"}
    stored = store.get(NAME, "default", "one")
    assert stored is not None
    assert (stored["apiVersion"], stored["spec"]) == ("example.com/v1", {"hostPort": "a:1"})
    assert stored["metadata"]["generation"] == 1
    assert stored["metadata"]["labels"] == {"converted": "yes"}
    asked = len(webhook.requests)
    first = await client.get(f"{hosts.format('v1')}/one")
    assert first.json()["spec"] == {"hostPort": "a:1"}
    assert len(webhook.requests) == asked, "what is in the version asked for is not converted"
    second = await client.get(f"{hosts.format('v2')}/one")
    assert second.json()["spec"] == {"host": "a", "port": "1"}


async def test_a_list_is_converted_with_one_question(
    client: httpx.AsyncClient, hosts: str, webhook: Any
) -> None:
    """All objects of a page go to the webhook together."""
    for name in ("one", "two"):
        await client.post(hosts.format("v2"), json=_host(name))
    asked = len(webhook.requests)
    listed = (await client.get(hosts.format("v2"))).json()
    assert [obj["spec"]["host"] for obj in listed["items"]] == ["a", "a"]
    assert len(webhook.requests) == asked + 1


async def test_a_patch_sees_the_version_it_was_made_for(
    client: httpx.AsyncClient, store: Store, hosts: str
) -> None:
    """A patch in v2 changes what is stored in v1."""
    await client.post(hosts.format("v2"), json=_host())
    patched = await client.patch(
        f"{hosts.format('v2')}/one",
        content=orjson.dumps({"spec": {"port": "2"}}),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert patched.json()["spec"] == {"host": "a", "port": "2"}
    stored = store.get(NAME, "default", "one")
    assert stored is not None
    assert stored["spec"] == {"hostPort": "a:2"}


async def test_a_watch_is_converted(client: httpx.AsyncClient, hosts: str) -> None:
    """Initial objects and events come in the version asked for."""
    await client.post(hosts.format("v2"), json=_host())

    async def watched() -> list[Any]:
        parameters = {"watch": "1", "timeoutSeconds": "1"}
        answer = await client.get(hosts.format("v2"), params=parameters)
        return [orjson.loads(line) for line in answer.text.splitlines()]

    watching = asyncio.create_task(watched())
    await asyncio.sleep(0)
    await client.post(hosts.format("v2"), json=_host("two"))
    seen = await watching
    assert [(event["type"], event["object"]["spec"]["port"]) for event in seen] == [
        ("ADDED", "1"),
        ("ADDED", "1"),
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"result": {"status": "Failure", "message": "no way"}}, "failed: no way"),
        ({"result": {}}, "failed: response.result.status was '', not 'Success'"),
        (
            {"result": {"status": "Success"}, "convertedObjects": []},
            "returned 0 objects, expected 1",
        ),
        ({"uid": "other", "result": {"status": "Success"}}, 'got "other"'),
    ],
)
async def test_a_webhook_that_fails_is_named(
    client: httpx.AsyncClient, hosts: str, webhook: Any, answer: dict[str, Any], said: str
) -> None:
    """The error says which kind, and what the webhook said."""
    webhook.paths["/convert"] = lambda _: answer
    refused = await client.post(hosts.format("v2"), json=_host())
    assert refused.status_code == 500
    message = refused.json()["message"]
    assert message.startswith("conversion webhook for example.com/v2, Kind=Host ")
    assert said in message
