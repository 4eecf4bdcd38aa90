"""``postStart`` and ``preStop`` hooks of simulated pods, in virtual time.

https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import _lifecycle as lifecycle
from actors.testing import virtual
from orchestrator.node import Behaviour, simulated_node
from orchestrator.store import DeleteOptions

SIM = "simulation.orchestrator/"


@pytest.fixture
def one(clusters: Any, simulated: Any) -> Any:
    """A cluster of one simulated node, with options for the runtime."""
    return lambda **options: clusters(simulated(**options), [simulated_node(1, events=True)])


def hooked(hook: str, **action: Any) -> dict[str, Any]:
    """A container's entry with a hook."""
    return {"lifecycle": {hook: action or {"exec": {"command": ["true"]}}}}


def started(cluster: Any) -> list[str]:
    """Names of the containers that were started, in order."""
    return [m.split()[-1] for _, reason, m in cluster.events.events if reason == "Started"]


def test_a_container_does_not_run_before_its_post_start_hook_is_over(one: Any) -> None:
    """Its status is not running until then, and the next container is not started."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            containers = [
                {"name": "a", "image": "i", **hooked("postStart", sleep={"seconds": 5})},
                {"name": "b", "image": "i"},
            ]
            await cluster.run("web", containers=containers)
            await asyncio.sleep(4)
            assert cluster.state("web") == ("waiting", {"reason": "ContainerCreating"})
            assert cluster.pod("web")["status"]["phase"] == "Pending"
            assert started(cluster) == ["a"]
            await asyncio.sleep(2)
            assert cluster.pod("web")["status"]["phase"] == "Running"
            assert started(cluster) == ["a", "b"]

    scenario()


def test_a_failed_post_start_hook_kills_the_container(one: Any) -> None:
    """It is restarted like any that failed; the message is not told, since it may be a secret."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}post-start-fails": "true", f"{SIM}post-start-seconds": "1"}
            await cluster.run("web", container=hooked("postStart"), annotations=annotations)
            await cluster.until(lambda: cluster.state("web")[1].get("reason") == "CrashLoopBackOff")
            assert (
                cluster.events.messages("web", "FailedPostStartHook")[0] == "PostStartHook failed"
            )
            assert cluster.events.messages("web", "Killing")[0] == "FailedPostStartHook"
            assert cluster.status("web")["lastState"]["terminated"]["exitCode"] == 143

    scenario()


def test_a_tcp_hook_is_no_hook(one: Any) -> None:
    """Upstream keeps the field for old manifests; such a hook fails."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            container = hooked("postStart", tcpSocket={"port": 80})
            await cluster.run("web", container=container, restartPolicy="Never")
            await cluster.until(lambda: cluster.pod("web")["status"]["phase"] == "Failed")
            assert cluster.events.messages("web", "FailedPostStartHook")

    scenario()


@pytest.mark.parametrize(
    ("hook", "stop", "grace", "gone"),
    [
        (5.0, 0.0, 30, 5.0),  # SIGTERM when the hook is over
        (5.0, 7.0, 30, 12.0),
        (10.0, 8.0, 15, 15.0),  # the grace holds hook and SIGTERM
        (60.0, 0.5, 10, 10.5),  # SIGTERM when the grace is over
        (60.0, None, 10, 12.0),  # two seconds more
    ],
)
def test_the_grace_holds_the_pre_stop_hook_and_the_containers_end(
    one: Any, hook: float, stop: float | None, grace: int, gone: float
) -> None:
    """A hook that is not over in time leaves the container two seconds.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow
    """

    @virtual
    async def scenario() -> None:
        async with one(default=Behaviour(stop_seconds=stop)) as cluster:
            annotations = {f"{SIM}pre-stop-seconds": str(hook)}
            await cluster.run(
                "web",
                container=hooked("preStop"),
                annotations=annotations,
                terminationGracePeriodSeconds=grace,
            )
            await cluster.until_running("web")
            begin = cluster.store.clock.now()
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")
            assert cluster.store.clock.now() - begin == pytest.approx(gone, abs=1.1)
            assert cluster.events.messages("web", "FailedPreStopHook") == []

    scenario()


def test_a_second_deletion_may_shorten_the_grace_of_a_hook(one: Any) -> None:
    """``kubectl delete`` again, with less patience; it counts from the first request."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}pre-stop-seconds": "100"}
            await cluster.run(
                "web",
                container=hooked("preStop"),
                annotations=annotations,
                terminationGracePeriodSeconds=300,
            )
            await cluster.until_running("web")
            begin = cluster.store.clock.now()
            await cluster.store.delete("pods", "default", "web")
            await asyncio.sleep(10)
            options = DeleteOptions(grace_period_seconds=15)
            await cluster.store.delete("pods", "default", "web", options=options)
            await cluster.until_gone("web")
            assert cluster.store.clock.now() - begin == pytest.approx(15, abs=1.1)

    scenario()


def test_a_failed_pre_stop_hook_is_told_and_the_container_ends(one: Any) -> None:
    """Ending goes on at once."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}pre-stop-fails": "true"}
            await cluster.run("web", container=hooked("preStop"), annotations=annotations)
            await cluster.until_running("web")
            begin = cluster.store.clock.now()
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")
            assert cluster.store.clock.now() - begin < 0.5
            assert cluster.events.messages("web", "FailedPreStopHook") == ["PreStopHook failed"]

    scenario()


def test_a_forced_deletion_runs_no_hook(one: Any) -> None:
    """Nor does a container that ends by itself."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}pre-stop-fails": "true", f"{SIM}run-seconds": "5"}
            container = hooked("preStop")
            await cluster.run("web", container=container, annotations=annotations)
            await cluster.until(lambda: cluster.status("web").get("restartCount") == 1)
            assert cluster.events.messages("web", "FailedPreStopHook") == []
            options = DeleteOptions(grace_period_seconds=0)
            await cluster.store.delete("pods", "default", "web", options=options)
            await cluster.until_gone("web")
            await asyncio.sleep(1)
            assert cluster.events.messages("web", "FailedPreStopHook") == []

    scenario()


def test_a_sidecars_hook_runs_at_once_and_its_end_waits_for_its_turn(one: Any) -> None:
    """Hooks of all containers begin when the pod is to end; SIGTERM goes in order."""

    @virtual
    async def scenario() -> None:
        async with one(default=Behaviour(stop_seconds=6)) as cluster:
            sidecar = {"name": "s", "image": "i", "restartPolicy": "Always", **hooked("preStop")}
            annotations = {f"{SIM}s.pre-stop-seconds": "4", f"{SIM}s.stop-seconds": "1"}
            await cluster.run("web", initContainers=[sidecar], annotations=annotations)
            await cluster.until_running("web")
            begin = cluster.store.clock.now()
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")
            assert cluster.store.clock.now() - begin == pytest.approx(7, abs=0.1)

    scenario()


def test_a_restarted_actor_runs_no_hook_twice(one: Any) -> None:
    """Neither the one of what runs already nor the one of what is ending."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            sleep = {"sleep": {"seconds": 20}}
            container = {"lifecycle": {"postStart": sleep, "preStop": sleep}}
            pod = await cluster.run("web", container=container, activeDeadlineSeconds=1000)
            await cluster.until(lambda: cluster.state("web")[0] == "running", timeout=100)

            def fail() -> None:
                node = cluster.manager._ref.rare().children["node-1"]
                lifecycle.fail(node.rare().children[pod["metadata"]["uid"]], RuntimeError())

            fail()
            await asyncio.sleep(5)
            assert cluster.state("web")[0] == "running"
            begin = cluster.store.clock.now()
            await cluster.store.delete("pods", "default", "web")
            await asyncio.sleep(10)
            fail()
            await cluster.until_gone("web")
            assert cluster.store.clock.now() - begin < 15

    scenario()
