"""Pods at rest: without an actor, and as if they had one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.node import SimulatedRuntime, nodes, simulated_node
from orchestrator.node.alike import AlikeStatuses
from orchestrator.node.runtime import ContainerOf, ContainerStarted
from orchestrator.node.statuses import status_change
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import with_meta
from orchestrator.store import Changed, DeleteOptions
from orchestrator.store.codec import apply_delta, diff_objects

PROBE = {"httpGet": {"port": 80}}
SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def entry(cluster: Any, name: str) -> Any:
    """What the node keeps of a pod, None once it is cleared."""
    cell = cluster.system.guardian
    for child in ("nodes", "node-1"):
        cell = cell.rare().children[child]
    return cell.actor._pods.get(cluster.pod(name)["metadata"]["uid"])


@pytest.fixture
def one(clusters: Any, simulated: Any) -> Any:
    """A cluster of one simulated node."""
    return lambda **options: clusters(simulated(), [simulated_node(1, events=True, **options)])


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"terminationGracePeriodSeconds": 0},
        {
            "restartPolicy": "Never",
            "container": {"image": "other", "ports": [{"containerPort": 1}]},
        },
        {"containers": [{"name": name, "image": name} for name in ("a", "b", "c")]},
        {"container": {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}}},
        {"readinessGates": [{"conditionType": "x"}]},
        {"activeDeadlineSeconds": 100},
        {"initContainers": [{"name": "i", "image": "i"}]},
        {"annotations": {"example.com/note": "x"}},
        {"container": {"livenessProbe": PROBE, "readinessProbe": PROBE, "startupProbe": PROBE}},
        {"container": {"readinessProbe": {**PROBE, "initialDelaySeconds": 1}}},
        {"container": {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}},
        {"container": {"lifecycle": {"postStart": {"sleep": {"seconds": 1}}}}},
    ],
)
def test_a_pod_is_reported_alike_with_and_without_an_actor(
    one: Any, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part of its status to its end, and every Event; the seed gives the same ids."""
    seen = []

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            for name in ("a", "bb"):
                await cluster.run(name, **spec)
            await cluster.until(lambda: cluster.pod("bb")["status"].get("containerStatuses"))
            await cluster.system.clock.sleep(1)
            statuses = [cluster.pod(name)["status"] for name in ("a", "bb")]
            follower = cluster.store.follow(["pods"], lambda: None)
            await cluster.system.clock.sleep(2)
            for name in ("a", "bb"):
                await cluster.store.delete("pods", "default", name)
            await cluster.system.clock.sleep(120)
            ends = {
                event.key.name: event.object["status"]
                for event in follower.take()
                if event.type == "DELETED"
            }
            follower.close()
            assert ends.keys() == {"a", "bb"}
            assert not cluster.manager._runtimes["simulated"].pods("node-1")
            seen.append((statuses, ends, sorted(cluster.events.events)))

    scenario()
    monkeypatch.setattr(SimulatedRuntime, "runs_on", lambda *_: False)
    scenario()
    assert seen[0] == seen[1]


def test_a_pod_that_runs_on_ends_without_an_actor(one: Any) -> None:
    """From its start to its end, and everything of it is given back."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            await cluster.until_running("web")
            await cluster.system.clock.sleep(1)
            resting = entry(cluster, "web")
            assert resting.ref is None
            assert resting.latest is cluster.pod("web")
            await cluster.store.delete("pods", "default", "web")
            assert cluster.events.reasons("web")[:2] == ["Created", "Started"]
            await cluster.until_gone("web")
            assert resting.ref is None
            await cluster.system.clock.sleep(1)
            assert cluster.events.reasons("web") == ["Created", "Started", "Killing"]
            assert not cluster.manager._runtimes["simulated"].pods("node-1")

    scenario()


def test_a_pod_at_rest_that_is_removed_at_once_leaves_nothing(one: Any) -> None:
    """Its address is the next pod's, once it has rested."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            address = (await cluster.until_running("web"))["status"]["podIP"]
            options = DeleteOptions(grace_period_seconds=0)
            await cluster.store.delete("pods", "default", "web", options=options)
            await cluster.system.clock.sleep(60)
            assert not cluster.manager._runtimes["simulated"].pods("node-1")
            await cluster.run("next")
            assert (await cluster.until_running("next"))["status"]["podIP"] == address

    scenario()


def test_a_pod_keeps_its_actor_when_something_happens_as_it_settles(one: Any) -> None:
    """Here its container ends in the moment in which it gets ready, and a hook follows."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            sim = "simulation.orchestrator/"
            hook = {"preStop": {"sleep": {"seconds": 3}}}
            await cluster.run(
                "job",
                annotations={f"{sim}run-seconds": "5"},
                container={"readinessProbe": {**PROBE, "initialDelaySeconds": 5}},
                initContainers=[
                    {"name": "s", "image": "i", "restartPolicy": "Always", "lifecycle": hook}
                ],
                restartPolicy="Never",
            )
            await cluster.until(lambda: cluster.pod("job")["status"]["phase"] == "Succeeded")

    scenario()


def test_a_container_that_ends_wakes_its_pod(one: Any) -> None:
    """It is restarted and its end is told, as if the pod had had an actor all along."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            before = (await cluster.until_running("web"))["status"]
            identity = before["containerStatuses"][0]["containerID"].rpartition("/")[2]
            await cluster.system.clock.sleep(5)
            cluster.manager._runtimes["simulated"].end(identity, 3)
            await cluster.until(lambda: cluster.status("web").get("restartCount") == 1)
            status = cluster.pod("web")["status"]
            assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3
            assert status["startTime"] == before["startTime"]
            assert status["podIP"] == before["podIP"]
            assert entry(cluster, "web").ref is not None

    scenario()


def test_another_image_wakes_a_pod_at_rest(one: Any) -> None:
    """Its container is restarted with it."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            await cluster.until_running("web")

            def change(pod: Any) -> Any:
                (container,) = pod["spec"]["containers"]
                spec = {**pod["spec"], "containers": [{**container, "image": "other"}]}
                return {**pod, "spec": spec}

            await cluster.store.modify("pods", "default", "web", change)
            await cluster.until(lambda: cluster.status("web")["image"] == "other")
            assert cluster.status("web")["restartCount"] == 1

    scenario()


def test_pods_rest_again_after_their_node_was_started_anew(one: Any) -> None:
    """Without a write, whether the runtime remembers their containers or not."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            for name in ("known", "unknown"):
                await cluster.run(name)
                await cluster.until_running(name)
            before = [cluster.pod(name) for name in ("known", "unknown")]
            runtime = cluster.manager._runtimes["simulated"]
            await cluster.manager._stop_actor("node-1")
            runtime.remove(cluster.status("unknown")["containerID"].rpartition("/")[2])
            await cluster.manager.add(simulated_node(1))
            await cluster.system.clock.sleep(1)
            assert [cluster.pod(name) for name in ("known", "unknown")] == before
            assert [entry(cluster, name).ref for name in ("known", "unknown")] == [None, None]
            assert len(runtime._records) == 2
            await cluster.store.delete("pods", "default", "unknown")
            await cluster.until_gone("unknown")

    scenario()


def test_a_pod_that_is_changed_while_it_ends_leaves_nothing(one: Any) -> None:
    """The change is heard of together with the end, and does not bring the pod back."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            for turns in range(12):
                name = f"p{turns}"
                await cluster.run(name)
                await cluster.until_running(name)
                await cluster.store.delete("pods", "default", name)
                for _ in range(turns):
                    await asyncio.sleep(0)
                with contextlib.suppress(StatusError):
                    await cluster.store.modify(
                        "pods", "default", name, lambda pod: with_meta(pod, annotations={"a": "b"})
                    )
            await cluster.system.clock.sleep(60)
            cell = cluster.system.guardian.rare().children["nodes"].rare().children["node-1"]
            assert not cell.actor._pods
            assert not cluster.manager._runtimes["simulated"].pods("node-1")

    scenario()


def test_a_pod_without_an_address_waits_for_one_with_an_actor(
    clusters: Any, simulated: Any
) -> None:
    """And says so; none of the others is disturbed."""

    @virtual
    async def scenario() -> None:
        async with clusters(simulated(), [simulated_node(1, pods="300")]) as cluster:
            for index in range(254):
                await cluster.run(f"p{index}")
            await cluster.until(lambda: cluster.state("p253")[0] == "waiting")
            assert cluster.events.reasons("p253") == ["FailedCreatePodSandBox"]
            assert entry(cluster, "p252").ref is None
            await cluster.store.delete("pods", "default", "p0")
            await cluster.until_running("p253")

    scenario()


def test_pods_that_come_together_share_what_is_alike() -> None:
    """Their conditions are one list; ids are a pod's own, and another second is another status."""
    stored: dict[str, Any] = {"phase": "Pending", "conditions": [SCHEDULED]}
    containers = [{"name": "web", "image": "image"}]
    alike = AlikeStatuses()

    def status(name: str, now: float) -> dict[str, Any]:
        started = ContainerStarted(f"id-of-{name}", ContainerOf("n", name, "web", 0), now)
        metadata = {"name": name, "namespace": "default", "uid": name, "generation": 1}
        pod = {"metadata": metadata, "spec": {"containers": containers}, "status": stored}
        found, _ = alike.first(pod, "simulated", [started], now)
        return found

    one, two, later = status("a", 1000.5), status("b", 1000.9), status("c", 1001.5)
    assert one["conditions"] is two["conditions"]
    ids = [item["containerStatuses"][0]["containerID"] for item in (one, two)]
    assert ids == ["simulated://id-of-a", "simulated://id-of-b"]
    assert later["conditions"] != one["conditions"]
    assert later["startTime"] != one["startTime"]


@pytest.mark.parametrize(
    "stored",
    [
        {"phase": "Pending", "conditions": [SCHEDULED]},
        {"phase": "Pending", "qosClass": "Burstable", "conditions": [SCHEDULED]},
        {"phase": "Pending", "hostIP": "10.0.0.1", "observedGeneration": 1, "conditions": []},
        {"phase": "Pending", "unheard": "of", "conditions": [SCHEDULED]},
    ],
)
def test_what_a_first_status_says_it_changed_is_what_comparing_finds(
    stored: dict[str, Any],
) -> None:
    """The log gets the very same, and nothing that goes is forgotten."""
    containers = [{"name": "web", "image": "image"}]
    started = ContainerStarted("id", ContainerOf("n", "u", "web", 0), 1000.0)
    metadata = {"name": "a", "namespace": "default", "uid": "u", "generation": 1}
    pod = {"metadata": metadata, "spec": {"containers": containers}, "status": stored}
    status, kept = AlikeStatuses().first(pod, "simulated", [started], 1000.0)
    status = {**status, "hostIP": "10.0.0.1", "podIP": "10.1.0.2"}
    changed = status_change(status, stored, kept)(pod)
    if "unheard" in stored:
        assert not isinstance(changed, Changed)
        return
    assert isinstance(changed, Changed)
    assert changed.object == {**pod, "status": status}
    found = diff_objects(pod, changed.object)
    assert found is not None
    merged, replaced, removed = found
    assert (replaced, removed) == ({}, [])
    assert merged["status"].items() <= changed.fields["status"].items()
    assert apply_delta(pod, (changed.fields, {}, []), 7)["status"] == status


def test_an_ended_pods_address_stays_given_back_when_its_node_lists_anew(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the store does not know of the end yet: its last status is still being written."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {"simulation.orchestrator/run-seconds": "1"}
            await cluster.run("work", annotations=annotations, restartPolicy="Never")
            await cluster.until_running("work")
            write = cluster.store.write

            async def slowly(*arguments: Any, **options: Any) -> Any:
                await asyncio.sleep(5)
                return await write(*arguments, **options)

            monkeypatch.setattr(cluster.store, "write", slowly)
            await cluster.system.clock.sleep(2)
            assert cluster.pod("work")["status"]["phase"] == "Running"
            cell = cluster.system.guardian.rare().children["nodes"].rare().children["node-1"]
            cell.tell(nodes.Relist())
            await cluster.system.clock.sleep(20)
            assert cluster.pod("work")["status"]["phase"] == "Succeeded"
            assert len(cell.actor._around.pool) == 0

    scenario()
