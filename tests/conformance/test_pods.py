"""Pods as the API and simulated nodes have them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.testing import run_virtual, virtual
from tests.conformance.cluster import STRATEGIC_PATCH, Api, served

PODS = "/api/v1/namespaces/default/pods"
CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"


def pod(name: str = "p", /, container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod of one container."""
    main = {"name": "main", "image": "agnhost:2.40", **(container or {})}
    return {
        "metadata": {"name": name, "labels": {"name": "foo", "time": "now"}},
        "spec": {"containers": [main], **spec},
    }


async def running(api: Api, name: str = "p") -> dict[str, Any]:
    """Wait until a pod runs and is ready."""
    found: dict[str, Any] = await api.until(
        f"{PODS}/{name}",
        lambda one: any(
            (condition["type"], condition["status"]) == ("Ready", "True")
            for condition in one.get("status", {}).get("conditions") or []
        ),
    )
    return found


@virtual
async def test_a_pod_is_submitted_watched_and_removed() -> None:
    """Upstream: Pods, lifecycle."""
    async with served() as api, api.watching(f"{PODS}?labelSelector=time=now") as watch:
        await api.create(PODS, pod())
        await running(api)
        await api.delete(f"{PODS}/p", {"gracePeriodSeconds": 30})
        await watch.until(lambda events: events[-1]["type"] == "DELETED")
        assert watch.types[0] == "ADDED"
        marked = [
            event["object"]["metadata"]
            for event in watch.events
            if event["type"] == "MODIFIED" and "deletionTimestamp" in event["object"]["metadata"]
        ]
        assert marked[0]["deletionGracePeriodSeconds"] == 30
        assert await api.items(f"{PODS}?labelSelector=time=now") == []


@virtual
async def test_labels_and_images_of_a_pod_are_updated() -> None:
    """Upstream: Pods, update; Pods, completes the lifecycle of a Pod and the PodStatus."""
    async with served() as api:
        await api.create(PODS, pod())
        found = await running(api)
        found["metadata"]["labels"]["time"] = "later"
        await api.put(f"{PODS}/p", found)
        assert await api.names(f"{PODS}?labelSelector=time=later") == ["p"]
        patch = {
            "metadata": {"labels": {"patched": "yes"}},
            "spec": {"containers": [{"name": "main", "image": "agnhost:2.41"}]},
        }
        patched = await api.patch(f"{PODS}/p", patch, form=STRATEGIC_PATCH)
        assert patched["spec"]["containers"][0]["image"] == "agnhost:2.41"
        refused = await api.patch(f"{PODS}/p", {"spec": {"hostNetwork": True}}, 422)
        assert "pod updates may not change fields other than" in refused["message"]


@virtual
async def test_the_status_of_a_pod_is_patched_and_replaced() -> None:
    """Upstream: Pods, patching status; Pods, completes the lifecycle of a Pod and the PodStatus."""
    async with served() as api:
        await api.create(PODS, pod())
        await running(api)
        condition = {"type": "StatusPatched", "status": "True", "reason": "E2E"}
        patched = await api.patch(
            f"{PODS}/p/status",
            {"status": {"conditions": [condition]}},
            form=STRATEGIC_PATCH,
        )
        found = {one["type"]: one for one in patched["status"]["conditions"]}
        assert found["StatusPatched"]["reason"] == "E2E"
        assert found["Ready"]["status"] == "True"
        patched = await api.get(f"{PODS}/p/status")
        for one in patched["status"]["conditions"]:
            if one["type"] == "StatusPatched":
                one["status"] = "False"
        replaced = await api.put(f"{PODS}/p/status", patched)
        found = {one["type"]: one for one in replaced["status"]["conditions"]}
        assert found["StatusPatched"]["status"] == "False"


@virtual
async def test_a_pod_ends_after_its_active_deadline() -> None:
    """Upstream: Pods, ActiveDeadlineSeconds."""
    async with served() as api:
        await api.create(PODS, pod())
        found = await running(api)
        found["spec"]["activeDeadlineSeconds"] = 5
        updated = await api.put(f"{PODS}/p", found)
        assert updated["spec"]["activeDeadlineSeconds"] == 5
        await asyncio.sleep(6)
        updated["spec"]["activeDeadlineSeconds"] = 50
        await api.put(f"{PODS}/p", updated, 409)


@virtual
async def test_a_collection_of_pods_is_deleted() -> None:
    """Upstream: Pods, delete a collection."""
    async with served() as api:
        for number in range(3):
            await api.create(PODS, pod(f"p{number}"))
        assert len(await api.items(f"{PODS}?labelSelector=name=foo")) == 3
        await api.delete(f"{PODS}?labelSelector=name=foo", {"gracePeriodSeconds": 1})
        await api.until(f"{PODS}?labelSelector=name=foo", lambda found: not found["items"])


@virtual
async def test_a_running_pod_has_addresses() -> None:
    """Upstream: Pods, assigned hostip."""
    async with served() as api:
        await api.create(PODS, pod())
        status = (await running(api))["status"]
        assert status["hostIPs"] == [{"ip": status["hostIP"]}]
        assert status["podIPs"] == [{"ip": status["podIP"]}]


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "100m"}}, "Burstable"),
        ({"limits": {"cpu": "100m", "memory": "100Mi"}}, "Guaranteed"),
    ],
)
def test_a_pods_quality_of_service_follows_its_resources(
    resources: dict[str, Any], quality: str
) -> None:
    """Upstream: Pods, QOS."""

    async def asked() -> None:
        async with served(nodes=0) as api:
            made = await api.create(PODS, pod(container={"resources": resources}))
            assert made["status"]["qosClass"] == quality

    run_virtual(asked())


@virtual
async def test_ephemeral_containers_are_added_one_after_another() -> None:
    """Upstream: Ephemeral Container Creation; Ephemeral Container, update (the API's part)."""
    async with served() as api:
        await api.create(PODS, pod())
        await running(api)

        def debugger(name: str) -> dict[str, Any]:
            return {"name": name, "image": "busybox", "command": ["/bin/sh"], "tty": True}

        patch = {"spec": {"ephemeralContainers": [debugger("d1")]}}
        where = f"{PODS}/p/ephemeralcontainers"
        found = await api.patch(where, patch, form=STRATEGIC_PATCH)
        assert [one["name"] for one in found["spec"]["ephemeralContainers"]] == ["d1"]
        found["spec"]["ephemeralContainers"].append(debugger("d2"))
        await api.put(where, found)
        names = [one["name"] for one in (await api.get(where))["spec"]["ephemeralContainers"]]
        assert names == ["d1", "d2"]
        refused = await api.put(
            where, {**found, "spec": {**found["spec"], "ephemeralContainers": []}}, 409
        )
        assert refused["reason"] == "Conflict"


@virtual
async def test_a_pod_of_a_runtime_class_that_is_not_there_is_refused() -> None:
    """Upstream: Pod with the non-existing, with the deleted RuntimeClass is rejected."""
    async with served() as api:
        refused = await api.create(PODS, pod(runtimeClassName="none"), 403)
        assert 'RuntimeClass "none" not found' in refused["message"]
        await api.create(CLASSES, {"metadata": {"name": "none"}, "handler": "h"})
        await api.create(PODS, pod(runtimeClassName="none"))
        await api.delete(f"{CLASSES}/none")
        refused = await api.create(PODS, pod("q", runtimeClassName="none"), 403)
        assert 'RuntimeClass "none" not found' in refused["message"]


@virtual
async def test_a_runtime_class_says_what_its_pods_cost() -> None:
    """Upstream: RuntimeClass Overhead field must be respected; without PodOverhead."""
    async with served() as api:
        overhead = {"podFixed": {"cpu": "10m", "memory": "1Mi"}}
        body = {"metadata": {"name": "sized"}, "handler": "h", "overhead": overhead}
        await api.create(CLASSES, body)
        made = await api.create(PODS, pod(runtimeClassName="sized"))
        assert made["spec"]["overhead"] == overhead["podFixed"]
        await api.until(f"{PODS}/p", lambda found: "nodeName" in found["spec"])


@virtual
async def test_what_is_no_sysctl_is_refused() -> None:
    """Upstream: Sysctls, reject invalid sysctls."""
    async with served(nodes=0) as api:
        names = ("foo-", "kernel.shmmax", "safe-and-unsafe", "bar..")
        asked = [{"name": name, "value": "1"} for name in names]
        refused = await api.create(PODS, pod(securityContext={"sysctls": asked}), 422)
        told = {cause["field"] for cause in refused["details"]["causes"]}
        assert told == {
            "spec.securityContext.sysctls[0].name",
            "spec.securityContext.sysctls[3].name",
        }


@virtual
async def test_a_pod_with_an_inline_volume_lives_its_life() -> None:
    """Upstream: CSIInlineVolumes should support Pods with inline volumes."""
    async with served(nodes=0) as api:
        volume = {"name": "v", "csi": {"driver": "e2e.example.com", "volumeAttributes": {"a": "b"}}}
        made = await api.create(PODS, pod(volumes=[volume]))
        assert made["spec"]["volumes"][0]["csi"]["driver"] == "e2e.example.com"
        await api.patch(f"{PODS}/p", {"metadata": {"labels": {"x": "y"}}})
        assert await api.names("/api/v1/pods?labelSelector=x=y") == ["p"]
        await api.delete(f"{PODS}/p", {"gracePeriodSeconds": 0})
        await api.gone(f"{PODS}/p")


@virtual
async def test_pods_go_where_their_selector_and_requests_fit() -> None:
    """Upstream: Scheduler, node selector (not) matching; Scheduler, resource limits."""
    async with served() as api:
        await api.patch("/api/v1/nodes/node-2", {"metadata": {"labels": {"k": "v"}}})
        await api.create(PODS, pod("fits", nodeSelector={"k": "v"}))
        await api.create(PODS, pod("none", nodeSelector={"k": "w"}))
        big = {"resources": {"requests": {"cpu": "100000"}}}
        await api.create(PODS, pod("big", container=big))
        assert (await running(api, "fits"))["spec"]["nodeName"] == "node-2"
        for name, why in (("none", "node(s) didn't match"), ("big", "Insufficient cpu")):
            found = await api.until(f"{PODS}/{name}", lambda one: one["status"].get("conditions"))
            (condition,) = found["status"]["conditions"]
            assert (condition["type"], condition["reason"]) == ("PodScheduled", "Unschedulable")
            assert why in condition["message"]
            assert "nodeName" not in found["spec"]


@virtual
async def test_two_nodes_take_pods() -> None:
    """Upstream: Conformance tests minimum number of nodes."""
    async with served() as api:
        ready = [
            node["metadata"]["name"]
            for node in await api.items("/api/v1/nodes")
            if not node["spec"].get("taints") and not node["spec"].get("unschedulable")
        ]
        assert len(ready) == 2


@pytest.mark.parametrize("address", ["", "127.0.0.1"])
def test_host_ports_conflict_by_address_and_protocol(address: str) -> None:
    """Upstream: Scheduling, HostPort: HostIP and Protocol not-matching; one is 0.0.0.0."""

    async def asked() -> None:
        async with served(nodes=1) as api:

            def exposed(ip: str, protocol: str) -> dict[str, Any]:
                port = {"containerPort": 80, "hostPort": 54323, "protocol": protocol}
                return {"ports": [{**port, **({"hostIP": ip} if ip else {})}]}

            await api.create(PODS, pod("first", container=exposed(address, "TCP")))
            await running(api, "first")
            await api.create(PODS, pod("udp", container=exposed(address, "UDP")))
            await running(api, "udp")
            await api.create(PODS, pod("other", container=exposed("127.0.0.2", "TCP")))
            if address:
                await running(api, "other")
                return
            found = await api.until(f"{PODS}/other", lambda one: one["status"].get("conditions"))
            assert "free ports" in found["status"]["conditions"][0]["message"]

    run_virtual(asked())
