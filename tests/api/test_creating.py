"""Pods created from one template: nothing tells that the second was not worked out anew."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from orchestrator.api import ApiApplication
from orchestrator.store import Store

PODS = "/api/v1/namespaces/default/pods"
GIVEN = ("uid", "resourceVersion", "creationTimestamp")


def _pod(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}, **metadata},
        "spec": {
            "containers": [
                {"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "0.10"}}}
            ]
        },
    }


async def _created(client: httpx.AsyncClient, body: dict[str, Any], **params: str) -> Any:
    answer = await client.post(PODS, json=body, params=params)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _unlike(pod: dict[str, Any], *also: str) -> dict[str, Any]:
    """Return a pod without what differs between two equal ones."""
    metadata = {
        key: value for key, value in pod["metadata"].items() if key not in {*GIVEN, "name", *also}
    }
    for entry in metadata.get("managedFields", ()):
        entry.pop("time")
    return {**pod, "metadata": metadata}


async def test_a_pod_from_a_known_template_differs_only_in_what_is_its_own(
    client: httpx.AsyncClient, store: Store
) -> None:
    """Defaults, plugins, status and field management are those of the first."""
    first, second = [await _created(client, _pod(name)) for name in ("a", "b")]
    assert [first["metadata"]["name"], second["metadata"]["name"]] == ["a", "b"]
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert second["metadata"]["managedFields"][0]["manager"] == "python-httpx"
    assert second["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m"}
    assert store.get("pods", "default", "b") == second
    assert _unlike(first) == _unlike(second)


async def test_a_template_is_not_shared_between_managers_labels_or_namespaces(
    client: httpx.AsyncClient, store: Store
) -> None:
    """Whatever else the outcome depends on makes it another template."""
    await _created(client, _pod("a"))
    other = await _created(client, _pod("b"), fieldManager="other")
    assert [entry["manager"] for entry in other["metadata"]["managedFields"]] == ["other"]
    labelled = await _created(client, _pod("c", labels={"app": "db"}))
    assert labelled["metadata"]["labels"] == {"app": "db"}
    answer = await client.post("/api/v1/namespaces/kube-system/pods", json=_pod("a"))
    assert answer.json()["metadata"]["namespace"] == "kube-system"
    assert store.get("pods", "kube-system", "a") is not None


async def test_a_bad_name_is_refused_in_the_usual_words(
    client: httpx.AsyncClient, app: ApiApplication
) -> None:
    """A known template does not let through a name that is not one."""
    before = await client.post(PODS, json=_pod("Bad_Name"))
    await _created(client, _pod("a"))
    after = await client.post(PODS, json=_pod("Bad_Name"))
    assert (before.status_code, before.json()) == (422, after.json())
    taken = await client.post(PODS, json=_pod("a"))
    assert (taken.status_code, taken.json()["reason"]) == (409, "AlreadyExists")


@pytest.mark.parametrize("twice", [b'"labels"', b'"name"'])
async def test_a_field_given_twice_is_still_told(client: httpx.AsyncClient, twice: bytes) -> None:
    """The parsed body is that of the template; the text is not."""
    await _created(client, _pod("a"))
    value = b'{"app":"web"}' if twice == b'"labels"' else b'"b"'
    body = orjson.dumps(_pod("b")).replace(
        b'"metadata":{', b'"metadata":{' + twice + b":" + value + b","
    )
    headers = {"content-type": "application/json"}
    strict = await client.post(
        PODS, content=body, headers=headers, params={"fieldValidation": "Strict"}
    )
    field = "metadata." + twice.decode().strip('"')
    assert strict.status_code == 400
    assert f'duplicate field "{field}"' in strict.json()["message"]
    warned = await client.post(PODS, content=body, headers=headers)
    assert warned.headers["warning"] == f'299 - "duplicate field \\"{field}\\""'


async def test_an_unknown_field_is_told_each_time(client: httpx.AsyncClient) -> None:
    """What was pruned quietly under Ignore is not forgotten when warnings are asked for."""
    unknown = [{**_pod(name), "colour": "green"} for name in ("a", "b", "c")]
    await _created(client, unknown[0], fieldValidation="Ignore")
    for body in unknown[1:]:
        answer = await client.post(PODS, json=body)
        assert answer.headers["warning"] == '299 - "unknown field \\"colour\\""'


async def test_a_new_default_priority_reaches_pods_of_a_known_template(
    client: httpx.AsyncClient, store: Store
) -> None:
    """What the plugins read is part of what a template is known by."""
    assert (await _created(client, _pod("a")))["spec"]["priority"] == 0
    await store.create(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "high"},
            "value": 7,
            "globalDefault": True,
        },
        resource="priorityclasses.scheduling.k8s.io",
    )
    assert (await _created(client, _pod("b")))["spec"]["priority"] == 7


async def test_a_deleted_service_account_is_missed_by_pods_of_a_known_template(
    client: httpx.AsyncClient, store: Store
) -> None:
    """A body that was accepted before is refused once its service account is gone."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}}
    await store.create(account, resource="serviceaccounts", namespace="default")
    bodies = [_pod("a"), _pod("b"), _pod("c")]
    for body in bodies:
        body["spec"]["serviceAccountName"] = "builder"
    await _created(client, bodies[0])
    await _created(client, bodies[1])
    await store.delete("serviceaccounts", "default", "builder")
    refused = await client.post(PODS, json=bodies[2])
    assert refused.status_code == 403
    assert 'serviceaccount "builder" not found' in refused.json()["message"]
