"""What pods are configured with: ConfigMaps, Secrets, limits, priorities, quotas."""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import run_virtual, virtual
from tests.conformance.cluster import STRATEGIC_PATCH, served

CORE = "/api/v1/namespaces/default"
PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_an_empty_key_is_refused(resource: str) -> None:
    """Upstream: ConfigMap, with empty-key; Secrets, with empty-key."""

    async def refuse() -> None:
        async with served(nodes=0) as api:
            body = {"metadata": {"name": "a"}, "data": {"": "dmFsdWU="}}
            refused = await api.create(f"{CORE}/{resource}", body, 422)
            assert refused["reason"] == "Invalid"

    run_virtual(refuse())


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_what_is_immutable_stays_so(resource: str) -> None:
    """Upstream: ConfigMap Volume, immutability; Secrets Volume, immutability."""

    async def change() -> None:
        async with served(nodes=0) as api:
            path = f"{CORE}/{resource}"
            made = await api.create(path, {"metadata": {"name": "a"}, "data": {"d1": "djE="}})
            made["data"]["d2"] = "djI="
            made = await api.put(f"{path}/a", made)
            made["immutable"] = True
            made = await api.put(f"{path}/a", made)
            for change in ({"data": {**made["data"], "d3": "djM="}}, {"immutable": False}):
                refused = await api.put(f"{path}/a", {**made, **change}, 422)
                assert "field is immutable when `immutable` is set" in refused["message"]
            made["metadata"]["labels"] = {"l": "1"}
            await api.put(f"{path}/a", made)
            await api.delete(f"{path}/a")
            await api.gone(f"{path}/a")

    run_virtual(change())


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_one_is_patched_found_by_label_and_deleted_by_label(resource: str) -> None:
    """Upstream: ConfigMap lifecycle; Secret patching."""

    async def live() -> None:
        async with served(nodes=0) as api:
            path = f"{CORE}/{resource}"
            body = {"metadata": {"name": "a", "labels": {"static": "true"}}, "data": {"k": "dg=="}}
            await api.create(path, body)
            patch = {"metadata": {"labels": {"patched": "true"}}, "data": {"k": "dzE="}}
            await api.patch(f"{path}/a", patch, form=STRATEGIC_PATCH)
            (found,) = await api.items(f"/api/v1/{resource}?labelSelector=static=true")
            assert found["data"] == {"k": "dzE="}
            assert found["metadata"]["labels"]["patched"] == "true"
            await api.delete(f"{path}?labelSelector=static=true")
            assert await api.items(f"/api/v1/{resource}?labelSelector=static=true") == []

    run_virtual(live())


def pod(name: str, resources: dict[str, Any]) -> dict[str, Any]:
    """A pod with resources."""
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "pause", "image": "pause", "resources": resources}]},
    }


@virtual
async def test_a_limit_range_gives_defaults_and_refuses_what_is_out_of_it() -> None:
    """Upstream: LimitRange, resources."""
    async with served(nodes=0) as api:
        limits = {
            "type": "Container",
            "min": {"cpu": "50m", "memory": "100Mi", "ephemeral-storage": "100Gi"},
            "max": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
            "defaultRequest": {"cpu": "100m", "memory": "200Mi", "ephemeral-storage": "200Gi"},
            "default": {"cpu": "300m", "memory": "300Mi", "ephemeral-storage": "300Gi"},
        }
        await api.create(
            f"{CORE}/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": [limits]}}
        )
        made = await api.create(f"{CORE}/pods", pod("defaults", {}))
        resources = made["spec"]["containers"][0]["resources"]
        assert resources == {"requests": limits["defaultRequest"], "limits": limits["default"]}
        partial = {"requests": {"cpu": "60m"}, "limits": {"memory": "250Mi"}}
        made = await api.create(f"{CORE}/pods", pod("partial", partial))
        resources = made["spec"]["containers"][0]["resources"]
        assert (resources["requests"]["cpu"], resources["limits"]["cpu"]) == ("60m", "300m")
        assert resources["limits"]["memory"] == "250Mi"
        for wrong in ({"requests": {"cpu": "10m"}}, {"limits": {"cpu": "600m"}}):
            refused = await api.create(f"{CORE}/pods", pod("wrong", wrong), 403)
            assert "usage per Container is" in refused["message"]


@virtual
async def test_of_a_priority_class_only_what_may_change_changes() -> None:
    """Upstream: Scheduler, Verify PriorityClass endpoints."""
    async with served(nodes=0) as api:
        made = await api.create(PRIORITIES, {"metadata": {"name": "p1"}, "value": 1})
        for field, value in (("value", 10), ("preemptionPolicy", "Never")):
            await api.patch(f"{PRIORITIES}/p1", {field: value}, 422)
            await api.put(f"{PRIORITIES}/p1", {**made, field: value}, 422)
        changed = await api.patch(f"{PRIORITIES}/p1", {"description": "new"})
        assert changed["description"] == "new"
        changed["description"] = "newer"
        await api.put(f"{PRIORITIES}/p1", changed)
        assert "p1" in await api.names(PRIORITIES)
        made = await api.create(
            f"{CORE}/pods",
            {
                "metadata": {"name": "a"},
                "spec": {"priorityClassName": "p1", "containers": [{"name": "a", "image": "a"}]},
            },
        )
        assert made["spec"]["priority"] == 1


@virtual
async def test_an_event_is_one_in_both_groups() -> None:
    """Upstream: New Event resource lifecycle; Event, manage lifecycle of an Event."""
    async with served(nodes=0) as api:
        new = "/apis/events.k8s.io/v1/namespaces/default/events"
        body = {
            "metadata": {"name": "e"},
            "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
            "note": "first",
            "type": "Normal",
            "reason": "Test",
            "action": "Do",
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "c",
            "reportingInstance": "i",
        }
        await api.create(new, body)
        series = {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}
        await api.patch(f"{new}/e", {"series": series})
        old = await api.get(f"{CORE}/events/e")
        assert (old["message"], old["involvedObject"]["name"]) == ("first", "p")
        assert old["series"]["count"] == 2
        await api.patch(f"{CORE}/events/e", {"message": "second"})
        assert (await api.get(f"{new}/e"))["note"] == "second"
        await api.delete(f"{new}/e")
        await api.get(f"{CORE}/events/e", 404)
