"""Pods on simulated nodes, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.node import Behaviour, simulated_node
from orchestrator.node.nodes import NodeActor
from orchestrator.store import Delete, DeleteOptions

SIM = "simulation.orchestrator/"


def one_node(clusters: Any, simulated: Any, **options: Any) -> Any:
    """A cluster of one simulated node."""
    return clusters(simulated(**options), [simulated_node(1, events=True)])


@pytest.fixture
def one(clusters: Any, simulated: Any) -> Any:
    """A cluster of one simulated node, with options for the runtime."""
    return lambda **options: one_node(clusters, simulated, **options)


def test_a_node_registers_with_what_a_kubelet_posts(one: Any) -> None:
    """Addresses, capacity, conditions, labels, pod range."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            node = cluster.store.get("nodes", "", "node-1")
            ready = node["status"]["conditions"][-1]
            assert (ready["type"], ready["status"], ready["reason"], ready["message"]) == (
                "Ready",
                "True",
                "KubeletReady",
                "kubelet is posting ready status",
            )
            assert node["spec"]["podCIDR"] == "10.244.1.0/24"
            assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "node-1"
            assert node["status"]["allocatable"]["pods"] == "110"
            assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.35.0"
            assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "simulated://1.0"
            # Nothing of the machine that simulates: a seed has one history everywhere.
            assert node["status"]["nodeInfo"]["osImage"] == "Simulated"

    scenario()


def test_a_pod_gets_an_address_and_runs(one: Any) -> None:
    """Status fields as a kubelet writes them."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            pod = await cluster.until_running("web")
            status = pod["status"]
            assert status["phase"] == "Running"
            assert status["podIP"] == "10.244.1.2"
            assert status["podIPs"] == [{"ip": "10.244.1.2"}]
            assert status["hostIP"] == "10.0.0.1"
            assert status["qosClass"] == "BestEffort"
            assert all(item["status"] == "True" for item in status["conditions"])
            container = status["containerStatuses"][0]
            assert (container["ready"], container["started"]) == (True, True)
            assert container["containerID"].startswith("simulated://")
            assert cluster.events.reasons("web") == ["Created", "Started"]

    scenario()


def test_a_crashing_container_is_restarted_with_growing_delays(one: Any) -> None:
    """At once, then after 10 s, 20 s, 40 s; the status says so meanwhile."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}run-seconds": "1", f"{SIM}exit-code": "3"}
            begin = cluster.store.clock.now()
            await cluster.run("web", annotations=annotations)
            starts = []
            for count in range(5):
                await cluster.until(
                    lambda count=count: (
                        cluster.state("web")[0] == "running"
                        and cluster.status("web")["restartCount"] == count
                    ),
                    timeout=1000,
                )
                starts.append(round(cluster.store.clock.now() - begin))
            assert starts == [0, 1, 12, 33, 74]
            await cluster.until(lambda: cluster.state("web")[0] == "waiting", timeout=1000)
            uid = cluster.pod("web")["metadata"]["uid"]
            assert cluster.state("web")[1] == {
                "reason": "CrashLoopBackOff",
                "message": f"back-off 1m20s restarting failed container=c pod=web_default({uid})",
            }
            last = cluster.status("web")["lastState"]["terminated"]
            assert (last["exitCode"], last["reason"]) == (3, "Error")
            assert cluster.pod("web")["status"]["phase"] == "Running"
            text = f"Back-off restarting failed container c in pod web_default({uid})"
            assert cluster.events.messages("web", "BackOff")[0] == text

    scenario()


def test_a_restart_tells_of_the_attempt_before_until_the_next_one_runs(one: Any) -> None:
    """Nobody sees it create a container in between; what waited for its delay waits on."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {
                f"{SIM}start-seconds": "2",
                f"{SIM}run-seconds": "1",
                f"{SIM}exit-code": "1",
            }
            follower = cluster.store.follow(("pods",), lambda: None)
            await cluster.run("web", annotations=annotations)
            await cluster.system.clock.sleep(25)
            seen: list[tuple[str, str, int]] = []
            for event in follower.take(1000):
                for item in event.object["status"].get("containerStatuses") or ():
                    ((kind, state),) = item["state"].items()
                    shown = kind, state.get("reason", ""), item["restartCount"]
                    if shown not in seen[-1:]:
                        seen.append(shown)
            follower.close()
            assert seen == [
                ("waiting", "ContainerCreating", 0),
                ("running", "", 0),
                ("terminated", "Error", 0),
                ("running", "", 1),
                ("waiting", "CrashLoopBackOff", 1),
                ("running", "", 2),
                ("waiting", "CrashLoopBackOff", 2),
            ]

    scenario()


@pytest.mark.parametrize(
    ("policy", "code", "phase", "reason"),
    [("Never", "0", "Succeeded", "Completed"), ("Never", "9", "Failed", "Error")],
)
def test_a_pod_that_is_not_restarted_is_over(
    one: Any, policy: str, code: str, phase: str, reason: str
) -> None:
    """With the reason in its container."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}run-seconds": "5", f"{SIM}exit-code": code}
            await cluster.run("job", annotations=annotations, restartPolicy=policy)
            await cluster.until(lambda: cluster.pod("job")["status"]["phase"] == phase)
            assert cluster.state("job")[1]["reason"] == reason
            ready = {c["type"]: c for c in cluster.pod("job")["status"]["conditions"]}["Ready"]
            assert ready["status"] == "False"

    scenario()


def test_a_simulated_container_leaves_the_message_of_its_script(one: Any) -> None:
    """With its end, whatever its exit code."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}run-seconds": "1", f"{SIM}c.termination-message": "42 rows"}
            await cluster.run("job", annotations=annotations, restartPolicy="Never")
            await cluster.until(lambda: cluster.pod("job")["status"]["phase"] == "Succeeded")
            assert cluster.state("job")[1]["message"] == "42 rows"

    scenario()


def test_a_deleted_pod_goes_when_its_containers_have_ended(one: Any) -> None:
    """After its grace at the latest; then its address is free again."""

    @virtual
    async def scenario() -> None:
        async with one(default=Behaviour(stop_seconds=None)) as cluster:
            await cluster.run("web", terminationGracePeriodSeconds=7)
            await cluster.until_running("web")
            begin = cluster.store.clock.now()
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")
            assert 7 <= cluster.store.clock.now() - begin <= 8.1
            assert cluster.events.messages("web", "Killing") == ["Stopping container c"]
            await cluster.system.clock.sleep(0.01)
            runtime = cluster.manager._runtimes["simulated"]
            assert runtime.pods("node-1") == set()

    scenario()


def test_a_forced_deletion_kills_at_once(one: Any) -> None:
    """The object goes first, the containers right after it."""

    @virtual
    async def scenario() -> None:
        async with one(default=Behaviour(stop_seconds=None)) as cluster:
            await cluster.run("web")
            await cluster.until_running("web")
            options = DeleteOptions(grace_period_seconds=0)
            await cluster.store.delete("pods", "default", "web", options=options)
            runtime = cluster.manager._runtimes["simulated"]
            await cluster.system.clock.sleep(0.01)
            assert runtime.pods("node-1") == set()

    scenario()


def test_a_container_that_starts_slowly_is_creating_meanwhile(one: Any) -> None:
    """Start seconds are virtual time."""

    @virtual
    async def scenario() -> None:
        async with one(default=Behaviour(start_seconds=15)) as cluster:
            await cluster.run("web")
            await cluster.until(lambda: cluster.state("web")[0] == "waiting")
            assert cluster.state("web")[1] == {"reason": "ContainerCreating"}
            assert cluster.pod("web")["status"]["phase"] == "Pending"
            await cluster.until_running("web")

    scenario()


def test_a_refused_container_ends_with_a_start_error(one: Any) -> None:
    """Exit code 128 and the runtime's message."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}refuse": "no such thing"}
            await cluster.run("web", annotations=annotations, restartPolicy="Never")
            await cluster.until(lambda: cluster.state("web")[0] == "terminated")
            ended = cluster.state("web")[1]
            assert (ended["exitCode"], ended["reason"], ended["message"]) == (
                128,
                "StartError",
                "no such thing",
            )
            assert cluster.pod("web")["status"]["phase"] == "Failed"

    scenario()


def test_an_unsupported_field_keeps_a_pod_waiting_and_is_named(one: Any) -> None:
    """In the status and in an event."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            claims = [{"name": "gpu", "resourceClaimName": "gpu"}]
            await cluster.run("web", resourceClaims=claims)
            await cluster.until(lambda: cluster.state("web")[0] == "waiting")
            text = "spec.resourceClaims: is not supported by this node"
            assert cluster.state("web")[1] == {"reason": "UnsupportedField", "message": text}
            assert cluster.events.messages("web", "UnsupportedField") == [text]
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")

    scenario()


def test_a_killed_node_is_silent_and_comes_back_with_its_pods(one: Any) -> None:
    """Its heartbeat stands still; revived, it starts its containers again."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            await cluster.until_running("web")
            died = cluster.store.clock.now()
            await cluster.manager.kill("node-1")
            await cluster.system.clock.sleep(50)
            assert cluster.manager.heartbeat("node-1") == died
            assert cluster.manager.names == ()
            assert cluster.state("web")[0] == "running"
            await cluster.manager.add(simulated_node(1))
            assert cluster.manager.heartbeat("node-1") == cluster.store.clock.now()
            await cluster.until(lambda: cluster.status("web")["restartCount"] == 1)
            assert cluster.status("web")["lastState"]["terminated"]["exitCode"] == 137

    scenario()


def test_a_restarted_daemon_finds_its_simulated_pods_unchanged(one: Any) -> None:
    """Nothing is written for pods that ran and run."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            before = await cluster.until_running("web")
            await cluster.manager.kill("node-1")
            cluster.manager._runtimes["simulated"].remove(
                cluster.status("web")["containerID"].rpartition("/")[2]
            )
            await cluster.manager.add(simulated_node(1))
            await cluster.system.clock.sleep(1)
            assert cluster.pod("web") is before
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")

    scenario()


def test_many_pods_are_written_in_few_writes(clusters: Any, simulated: Any) -> None:
    """One write for all that started in a pass, not one for each pod."""

    @virtual
    async def scenario() -> None:
        nodes = [simulated_node(index) for index in range(10)]
        async with clusters(simulated(), nodes) as cluster:
            writes = []
            write = cluster.store.write

            async def counted(operations: Any, **options: Any) -> Any:
                writes.append(len(operations))
                return await write(operations, **options)

            cluster.store.write = counted
            for index in range(200):
                await cluster.run(f"p{index}", node=f"node-{index % 10}")
            await cluster.until(
                lambda: all(p["status"]["phase"] == "Running" for p in cluster.store.list("pods"))
            )
            await cluster.system.clock.sleep(0.01)
            writes.clear()
            for index in range(200, 400):
                cluster.system.loop.create_task(cluster.run(f"p{index}", node=f"node-{index % 10}"))
            await cluster.until(
                lambda: (
                    len(cluster.store.list("pods")) == 400
                    and all(p["status"]["phase"] == "Running" for p in cluster.store.list("pods"))
                )
            )
            assert sum(writes) == 200
            assert len(writes) <= 10
            addresses = {p["status"]["podIP"] for p in cluster.store.list("pods")}
            assert len(addresses) == 400

    scenario()


def test_an_eviction_by_others_ends_the_containers(one: Any) -> None:
    """A pod that was failed by someone else does not run on."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            await cluster.until_running("web")

            def fail(pod: Any) -> Any:
                return {**pod, "status": {**pod["status"], "phase": "Failed", "reason": "Evicted"}}

            await cluster.store.modify(
                "pods", "default", "web", fail, subresource="status", admit=False
            )
            await cluster.until(lambda: cluster.state("web")[0] == "terminated")
            assert cluster.pod("web")["status"]["phase"] == "Failed"
            assert cluster.pod("web")["status"]["reason"] == "Evicted"

    scenario()


def test_a_stale_pod_is_not_confused_with_its_successor(one: Any) -> None:
    """A name that is used again belongs to another uid."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            await cluster.until_running("web")
            first = cluster.pod("web")["metadata"]["uid"]
            options = DeleteOptions(grace_period_seconds=0)
            await cluster.store.write([Delete("pods", "default", "web", options)])
            await cluster.run("web")
            await cluster.until_running("web")
            assert cluster.pod("web")["metadata"]["uid"] != first
            assert cluster.status("web")["restartCount"] == 0

    scenario()


def test_a_pod_past_its_deadline_fails(one: Any) -> None:
    """With the kubelet's reason and words; what runs is ended, restarts or not."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            begin = cluster.store.clock.now()
            await cluster.run("web", activeDeadlineSeconds=90)
            await cluster.until_running("web")
            await cluster.until(
                lambda: cluster.pod("web")["status"]["phase"] == "Failed", timeout=1000
            )
            assert 89 <= cluster.store.clock.now() - begin <= 91
            status = cluster.pod("web")["status"]
            text = "Pod was active on the node longer than the specified deadline"
            assert (status["reason"], status["message"]) == ("DeadlineExceeded", text)
            assert cluster.events.messages("web", "DeadlineExceeded") == [text]
            await cluster.until(lambda: cluster.state("web")[0] == "terminated")
            assert cluster.pod("web")["status"]["reason"] == "DeadlineExceeded"

    scenario()


def test_a_deadline_counts_while_a_container_crashes(one: Any) -> None:
    """A crash loop is over when the time is."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}run-seconds": "1", f"{SIM}exit-code": "3"}
            await cluster.run("web", annotations=annotations, activeDeadlineSeconds=30)
            await cluster.until(
                lambda: cluster.pod("web")["status"].get("phase") == "Failed", timeout=1000
            )
            restarts = cluster.status("web")["restartCount"]
            await cluster.store.clock.sleep(1000)
            assert cluster.status("web")["restartCount"] == restarts

    scenario()


@pytest.mark.parametrize("policy", ["Always", "Never"])
def test_another_image_restarts_the_container_in_place(one: Any, policy: str) -> None:
    """Once, at once, whatever the restart policy; with the kubelet's event."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web", restartPolicy=policy)
            before = await cluster.until_running("web")

            def change(pod: Any) -> Any:
                (container,) = pod["spec"]["containers"]
                spec = {**pod["spec"], "containers": [{**container, "image": "image:2"}]}
                return {**pod, "spec": spec}

            await cluster.store.modify("pods", "default", "web", change)
            await cluster.until(lambda: cluster.status("web")["restartCount"] == 1, timeout=1000)
            after = await cluster.until_running("web")
            assert after["status"]["podIP"] == before["status"]["podIP"]
            assert cluster.status("web")["image"] == "image:2"
            assert cluster.status("web")["lastState"]["terminated"]["exitCode"] != 0
            text = "Container c definition changed, will be restarted"
            assert cluster.events.messages("web", "Killing") == [text]
            await cluster.store.clock.sleep(1000)
            assert cluster.status("web")["restartCount"] == 1

    scenario()


def test_a_deleted_node_that_lives_registers_again(one: Any) -> None:
    """Its pods run on."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            await cluster.until_running("web")
            old = cluster.store.get("nodes", "", "node-1")["metadata"]["uid"]
            await cluster.store.delete("nodes", "", "node-1")
            found = await cluster.until(
                lambda: (
                    (node := cluster.store.get("nodes", "", "node-1"))
                    and node["status"].get("conditions")
                    and node
                )
            )
            assert found["metadata"]["uid"] != old
            assert found["status"]["conditions"][-1]["status"] == "True"
            assert cluster.pod("web")["status"]["phase"] == "Running"

    scenario()


def test_an_ephemeral_container_joins_a_running_pod(one: Any) -> None:
    """It is started once, its end changes nothing, and it ends with the pod.

    https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/
    """

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}short.run-seconds": "5", f"{SIM}short.exit-code": "7"}
            await cluster.run("web", annotations=annotations)
            before = (await cluster.until_running("web"))["status"]

            async def debug(*names: str) -> None:
                added = [{"name": name, "image": "busybox"} for name in names]

                def change(current: Any) -> Any:
                    return {**current, "spec": {**current["spec"], "ephemeralContainers": added}}

                await cluster.store.modify(
                    "pods", "default", "web", change, subresource="ephemeralcontainers"
                )

            def debuggers() -> dict[str, Any]:
                found = cluster.pod("web")["status"].get("ephemeralContainerStatuses") or ()
                return {item["name"]: next(iter(item["state"])) for item in found}

            await debug("short")
            await cluster.until(lambda: debuggers() == {"short": "running"})
            await cluster.until(lambda: debuggers() == {"short": "terminated"})
            await debug("short", "long")
            await cluster.until(lambda: debuggers() == {"short": "terminated", "long": "running"})
            after = cluster.pod("web")["status"]
            assert after["containerStatuses"] == before["containerStatuses"]
            assert {item["status"] for item in after["conditions"]} == {"True"}
            assert after["ephemeralContainerStatuses"][0]["restartCount"] == 0
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")
            told = cluster.events.messages("web", "Killing")
            assert sorted(told) == ["Stopping container c", "Stopping container long"]

    scenario()


def test_nodes_in_their_thousands_register_without_a_refusal(
    clusters: Any, simulated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many ask the store at once; a node that is refused does not hold up the others."""
    monkeypatch.setattr("orchestrator.node.parent.REGISTERING", 3)
    asked: list[int] = []
    registering: set[str] = set()
    register = NodeActor._register

    def counted(node: NodeActor) -> None:
        registering.add(node._name)
        asked.append(len(registering))
        register(node)

    def answered(node: NodeActor, results: Any) -> None:
        registering.discard(node._name)
        check(node, results)

    check = NodeActor._check_registered
    monkeypatch.setattr(NodeActor, "_register", counted)
    monkeypatch.setattr(NodeActor, "_check_registered", answered)

    @virtual
    async def scenario() -> None:
        async with clusters(simulated(), [simulated_node(index) for index in range(20)]) as cluster:
            assert len(cluster.store.list("nodes")) == 20
            assert max(asked) == 3
            await cluster.manager.add(simulated_node(30))
            assert cluster.store.get("nodes", "", "node-30") is not None

    scenario()
