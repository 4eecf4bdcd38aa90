"""Kinds that are served in several versions: one object, seen in each."""

from __future__ import annotations

from typing import Any

import httpx

NAMESPACE = "/namespaces/default"
V1 = f"/apis/autoscaling/v1{NAMESPACE}/horizontalpodautoscalers"
V2 = f"/apis/autoscaling/v2{NAMESPACE}/horizontalpodautoscalers"
NEW_EVENTS = f"/apis/events.k8s.io/v1{NAMESPACE}/events"
EVENTS = f"/api/v1{NAMESPACE}/events"


def autoscaler(**spec: Any) -> dict[str, Any]:
    """An autoscaler of the Deployment web."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 5, **spec},
    }


async def test_an_autoscaler_is_one_object_in_both_versions(client: httpx.AsyncClient) -> None:
    """Created in one, read, listed, replaced and patched in the other."""
    made = await client.post(V1, json=autoscaler(targetCPUUtilizationPercentage=60))
    assert made.status_code == 201, made.text
    assert made.json()["apiVersion"] == "autoscaling/v1"
    read = (await client.get(f"{V2}/web")).json()
    assert read["apiVersion"] == "autoscaling/v2"
    assert read["metadata"]["uid"] == made.json()["metadata"]["uid"]
    assert read["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
    read["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = 70
    assert (await client.put(f"{V2}/web", json=read)).status_code == 200
    patched = await client.patch(
        f"{V1}/web",
        json={"spec": {"maxReplicas": 9}},
        headers={"content-type": "application/merge-patch+json"},
    )
    assert patched.json()["apiVersion"] == "autoscaling/v1"
    assert patched.json()["spec"]["targetCPUUtilizationPercentage"] == 70
    listed = (await client.get(V1)).json()
    assert listed["apiVersion"] == "autoscaling/v1"
    assert [item["spec"]["maxReplicas"] for item in listed["items"]] == [9]
    assert {item["apiVersion"] for item in listed["items"]} == {"autoscaling/v1"}


async def test_a_watch_shows_the_version_that_was_asked_for(client: httpx.AsyncClient) -> None:
    """Whatever version the writer used."""
    await client.post(V1, json=autoscaler(targetCPUUtilizationPercentage=80))
    query = {"watch": "1", "timeoutSeconds": "1"}
    async with client.stream("GET", V1, params=query) as stream:
        text = "".join([piece async for piece in stream.aiter_text()])
    assert '"apiVersion":"autoscaling/v1"' in text
    assert '"targetCPUUtilizationPercentage":80' in text


async def test_an_event_of_either_group_is_an_event_of_both(client: httpx.AsyncClient) -> None:
    """Clients that report write one, kubectl reads the other."""
    event = {
        "metadata": {"name": "a"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "me",
        "reportingInstance": "me-1",
        "action": "Act",
        "reason": "Because",
        "note": "hello",
        "type": "Normal",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
    }
    made = await client.post(NEW_EVENTS, json=event)
    assert made.status_code == 201, made.text
    core = (await client.get(f"{EVENTS}/a")).json()
    assert core["message"] == "hello"
    assert core["involvedObject"]["name"] == "p"
    query = {"fieldSelector": "involvedObject.name=p"}
    assert len((await client.get(EVENTS, params=query)).json()["items"]) == 1
    query = {"fieldSelector": "regarding.name=p"}
    assert len((await client.get(NEW_EVENTS, params=query)).json()["items"]) == 1
