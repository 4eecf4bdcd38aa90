"""Subresources of pods that are a part of them, and warnings on the way."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

PODS = "/api/v1/namespaces/default/pods"
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
DEBUGGER = {"name": "debug", "image": "busybox", "targetContainerName": "web"}


def _pod(name: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "100m"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], **spec},
    }


@pytest.fixture
async def running(client: httpx.AsyncClient) -> dict[str, Any]:
    """A pod as it is stored."""
    answer = await client.post(PODS, json=_pod("one"))
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def test_kubectl_debug_adds_an_ephemeral_container(
    client: httpx.AsyncClient, running: dict[str, Any]
) -> None:
    """Its patch names nothing else, and gets the pod back with defaults and a new generation."""
    at = f"{PODS}/one/ephemeralcontainers"
    body = {"spec": {"ephemeralContainers": [DEBUGGER]}}
    answer = await client.patch(at, json=body, headers=STRATEGIC)
    assert answer.status_code == 200, answer.text
    patched = answer.json()
    (added,) = patched["spec"]["ephemeralContainers"]
    assert added == {
        **DEBUGGER,
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "Always",
    }
    assert patched["metadata"]["generation"] == running["metadata"]["generation"] + 1
    assert patched["spec"]["containers"] == running["spec"]["containers"]
    assert (await client.get(at)).json() == patched


async def test_an_ephemeral_container_stays_as_it_is(
    client: httpx.AsyncClient, running: dict[str, Any]
) -> None:
    """PUT of a pod without it is refused, and nothing else of the PUT counts."""
    at = f"{PODS}/one/ephemeralcontainers"
    spec = {**running["spec"], "ephemeralContainers": [DEBUGGER], "hostname": "ignored"}
    put = await client.put(at, json={**running, "spec": spec})
    assert put.status_code == 200, put.text
    assert "hostname" not in put.json()["spec"]
    without = {**put.json(), "spec": running["spec"]}
    answer = await client.put(at, json=without)
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'Pod "one" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers '
        '"debug" may not be removed\n'
    )


async def test_a_resize_changes_resources_and_nothing_else(
    client: httpx.AsyncClient, running: dict[str, Any]
) -> None:
    """The same change of the pod itself is refused."""
    change = {"spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "2"}}}]}}
    refused = await client.patch(f"{PODS}/one", json=change, headers=STRATEGIC)
    assert refused.status_code == 422
    answer = await client.patch(f"{PODS}/one/resize", json=change, headers=STRATEGIC)
    assert answer.status_code == 200, answer.text
    assert answer.json()["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "2"}}
    assert answer.json()["metadata"]["generation"] == running["metadata"]["generation"] + 1


async def test_warnings_come_with_every_object_that_deserves_them(
    client: httpx.AsyncClient,
) -> None:
    """Also with the second that is made from the same template."""
    for name in ("a", "b", "c"):
        odd = _pod(name, nodeSelector={"beta.kubernetes.io/os": "linux"})
        answer = await client.post(PODS, json=odd)
        assert answer.status_code == 201
        assert answer.headers["Warning"] == (
            '299 - "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use '
            '\\"kubernetes.io/os\\" instead"'
        )


async def test_a_job_gets_the_selector_of_its_own_pods(client: httpx.AsyncClient) -> None:
    """Made of its uid, which the template's labels carry too."""
    pod = {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": pod}},
    }
    answer = await client.post("/apis/batch/v1/namespaces/default/jobs", json=body)
    assert answer.status_code == 201, answer.text
    job = answer.json()
    uid = job["metadata"]["uid"]
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert job["spec"]["template"]["metadata"]["labels"] == {
        "job-name": "once",
        "batch.kubernetes.io/job-name": "once",
        "controller-uid": uid,
        "batch.kubernetes.io/controller-uid": uid,
    }
    put = await client.put("/apis/batch/v1/namespaces/default/jobs/once", json=job)
    assert put.status_code == 200, put.text
