"""Init containers and sidecars: what is decided, and whole pods in virtual time.

https://kubernetes.io/docs/concepts/workloads/pods/init-containers/
https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import _lifecycle as lifecycle
from actors.testing import virtual
from orchestrator.node import Behaviour, simulated_node
from orchestrator.node.core import decide_pod
from orchestrator.node.phases import pod_phase
from orchestrator.node.restarting import restarts
from orchestrator.node.states import Phase, PodState, containers_of, inits_of
from orchestrator.node.statuses import pod_status
from orchestrator.resources.timestamps import format_time

NOW = 1_000_000.0
SIM = "simulation.orchestrator/"
SHORT: dict[str, dict[str, Any]] = {
    "new": {},
    "starting": {"phase": Phase.STARTING},
    "running": {"phase": Phase.RUNNING},
    "unstarted": {"phase": Phase.RUNNING, "started": False},
    "done": {"phase": Phase.EXITED},
    "failed": {"phase": Phase.EXITED, "exit_code": 1},
    "crashed": {
        "phase": Phase.EXITED,
        "exit_code": 1,
        "finished_at": NOW,
        "backoff": 40.0,
        "backoff_at": NOW,
    },
}


def state(inits: str, mains: str = "main:new", policy: str = "Always", **metadata: Any) -> PodState:
    """Build a pod from words like ``a:done`` and, for a sidecar, ``s*:running``."""
    spec: dict[str, Any] = {"restartPolicy": policy, "initContainers": [], "containers": []}
    for field, words in (("initContainers", inits), ("containers", mains)):
        for word in words.split():
            name = word.partition(":")[0]
            own = {"restartPolicy": "Always"} if name.endswith("*") else {}
            spec[field].append({"name": name.strip("*"), "image": "i", **own})
    pod = {
        "metadata": {"name": "p", "namespace": "ns", "uid": "u-1", **metadata},
        "spec": spec,
        "status": {"phase": "Pending"},
    }
    made = PodState(
        pod=pod,
        containers=containers_of(spec),
        inits=inits_of(spec),
        host="h",
        runtime="r",
        started_at=NOW,
        address="a",
    )
    for container, word in zip(made.all(), (inits + " " + mains).split(), strict=True):
        for field, value in SHORT[word.partition(":")[2]].items():
            setattr(container, field, value)
        if container.phase in (Phase.RUNNING, Phase.EXITED):
            container.id = container.name
    return made


def started(one: PodState) -> list[str]:
    """Names of what is to be started now."""
    return [item.name for item in decide_pod(one, NOW).start]


@pytest.mark.parametrize(
    ("inits", "policy", "expected"),
    [
        ("a:new b:new", "Always", ["a"]),
        ("a:starting b:new", "Always", []),
        ("a:running b:new", "Always", []),
        ("a:done b:new", "Always", ["b"]),
        ("a:done b:running", "Always", []),
        ("a:done b:done", "Always", ["main"]),
        ("a:failed b:new", "Always", ["a"]),
        ("a:failed b:new", "OnFailure", ["a"]),
        ("a:failed b:new", "Never", []),
        ("a:crashed b:new", "Always", []),
        ("s*:new b:new", "Always", ["s"]),
        ("s*:starting b:new", "Always", []),
        ("s*:unstarted b:new", "Always", []),
        ("s*:running b:new", "Always", ["b"]),
        ("s*:running b:running", "Always", []),
        ("s*:failed b:running", "Never", ["s"]),
        ("s*:failed b:done", "Never", ["s", "main"]),
        ("a:done s*:running", "Never", ["main"]),
        ("a:done s*:done", "Never", ["s"]),
    ],
)
def test_init_containers_are_started_one_after_the_other(
    inits: str, policy: str, expected: list[str]
) -> None:
    """Each must complete, or a sidecar have started, before the next; sidecars are kept running."""
    assert started(state(inits, policy=policy)) == expected


@pytest.mark.parametrize(
    ("inits", "mains", "expected"),
    [
        ("a:new", "main:running", []),
        ("a:done s*:failed", "main:running", ["s"]),
        ("a:failed s*:running", "main:failed", ["main"]),
    ],
)
def test_once_main_containers_have_run_only_sidecars_are_looked_after(
    inits: str, mains: str, expected: list[str]
) -> None:
    """An init container is not run again because its record is gone."""
    assert started(state(inits, mains)) == expected


def test_a_failed_init_container_of_a_pod_that_does_not_restart_ends_the_pod() -> None:
    """Its sidecars are stopped; the pod has failed when they are gone."""
    one = state("s*:running a:failed", policy="Never")
    assert [item.container.name for item in decide_pod(one, NOW).stop] == ["s"]
    assert pod_phase(one) == "Pending"
    one.inits[0].phase = Phase.EXITED
    assert pod_phase(one) == "Failed"


def test_sidecars_end_after_the_main_containers_in_reverse_order() -> None:
    """All are announced at once; each is signalled when all after it have ended."""
    one = state("s*:running t*:running", "main:running", deletionTimestamp=format_time(NOW + 30))
    one.pod["metadata"]["deletionGracePeriodSeconds"] = 30
    plan = decide_pod(one, NOW)
    assert [item.container.name for item in plan.stop] == ["main", "t", "s"]
    assert [item.container.name for item in plan.signal] == ["main"]
    for container in one.all():
        container.stopping, container.stop_by = True, NOW + 30
    one.containers[0].signalled = NOW + 30
    assert decide_pod(one, NOW + 1).wake_at == NOW + 30
    one.containers[0].phase = Phase.EXITED
    plan = decide_pod(one, NOW + 5)
    assert [(item.container.name, item.grace) for item in plan.signal] == [("t", 25.0)]
    late = decide_pod(one, NOW + 30)
    assert [(item.container.name, item.grace) for item in late.signal] == [("t", 2.0), ("s", 2.0)]


def test_sidecars_do_not_keep_a_pod_from_completing() -> None:
    """They are stopped when the main containers are done, and their exit codes do not matter."""
    one = state("s*:running", "main:done", policy="Never")
    assert [item.container.name for item in decide_pod(one, NOW).stop] == ["s"]
    assert pod_phase(one) == "Running"
    one.inits[0].phase, one.inits[0].exit_code = Phase.EXITED, 143
    assert pod_phase(one) == "Succeeded"
    assert started(one) == []


@pytest.mark.parametrize(
    ("inits", "mains", "policy", "expected"),
    [
        ("a:new", "main:new", "Always", "Pending"),
        ("a:running", "main:new", "Always", "Pending"),
        ("a:failed", "main:new", "Always", "Pending"),
        ("a:failed", "main:new", "Never", "Failed"),
        ("a:done", "main:new", "Never", "Pending"),
        ("a:done", "main:running", "Never", "Running"),
        ("a:done", "main:done", "Never", "Succeeded"),
        ("s*:running", "main:new", "Always", "Pending"),
        ("s*:unstarted", "main:running", "Always", "Running"),
        ("s*:failed", "main:running", "Always", "Running"),
        ("s*:failed", "main:failed", "Always", "Running"),
        ("s*:failed", "main:failed", "Never", "Failed"),
    ],
)
def test_the_phase_counts_init_containers_as_the_kubelet_does(
    inits: str, mains: str, policy: str, expected: str
) -> None:
    """The kubelet's ``getPhase``."""
    assert pod_phase(state(inits, mains, policy)) == expected


def test_a_status_tells_of_init_containers_and_what_is_not_initialized() -> None:
    """Statuses in the order of the spec, and the kubelet's reasons and messages."""
    one = state("a:done b:running s*:new")
    status = pod_status(one, NOW)
    shown = [
        (item["name"], item["ready"], item["started"], next(iter(item["state"])))
        for item in status["initContainerStatuses"]
    ]
    assert shown == [
        ("a", True, False, "terminated"),
        ("b", False, True, "running"),
        ("s", False, False, "waiting"),
    ]
    waiting = {"waiting": {"reason": "PodInitializing"}}
    assert status["initContainerStatuses"][2]["state"] == waiting
    assert status["containerStatuses"][0]["state"] == waiting
    conditions = {item["type"]: item for item in status["conditions"]}
    told = {kind: conditions[kind].get("message") for kind in ("Initialized", "ContainersReady")}
    assert told == {
        "Initialized": "containers with incomplete status: [b s]",
        "ContainersReady": "containers with unready status: [s main]",
    }
    assert conditions["Initialized"]["reason"] == "ContainersNotInitialized"
    assert conditions["Initialized"]["status"] == "False"


def test_a_pod_on_its_way_out_stays_initialized() -> None:
    """Also when its main container waited for a crash-loop delay, and its sidecars have ended."""
    one = state("s*:failed", "main:crashed", deletionTimestamp=format_time(NOW))
    one.containers[0].held = True
    conditions = {item["type"]: item["status"] for item in pod_status(one, NOW)["conditions"]}
    assert conditions["Initialized"] == "True"


RULE = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
UNLESS = {"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [1, 2]}}


@pytest.mark.parametrize(
    ("own", "policy", "code", "expected"),
    [
        ({}, "Never", 1, False),
        ({"restartPolicy": "Always"}, "Never", 0, True),
        ({"restartPolicy": "OnFailure"}, "Always", 0, False),
        ({"restartPolicy": "Never", "restartPolicyRules": [RULE]}, "Always", 42, True),
        ({"restartPolicy": "Never", "restartPolicyRules": [RULE]}, "Always", 41, False),
        ({"restartPolicy": "Never", "restartPolicyRules": [UNLESS]}, "Always", 3, True),
        ({"restartPolicy": "Never", "restartPolicyRules": [UNLESS]}, "Always", 2, False),
    ],
)
def test_a_containers_own_restart_rules_win(
    own: dict[str, Any], policy: str, code: int, expected: bool
) -> None:
    """Rules before the container's policy, that before the pod's.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restart-rules
    """
    assert restarts(own, policy, code) is expected


# -- whole pods


@pytest.fixture
def one(clusters: Any, simulated: Any) -> Any:
    """A cluster of one simulated node, with options for the runtime."""
    return lambda **options: clusters(simulated(**options), [simulated_node(1, events=True)])


def inits(cluster: Any, name: str) -> dict[str, Any]:
    """Statuses of a pod's init containers, by name."""
    found = cluster.pod(name)["status"].get("initContainerStatuses") or ()
    return {item["name"]: item for item in found}


def conditions(cluster: Any, name: str) -> dict[str, str]:
    """A pod's conditions."""
    return {item["type"]: item["status"] for item in cluster.pod(name)["status"]["conditions"]}


def actor_of(cluster: Any, name: str) -> Any:
    """The cell of a pod's actor."""
    cell = cluster.manager._ref
    for part in ("node-1", cluster.pod(name)["metadata"]["uid"]):
        cell = cell.rare().children[part]
    return cell


A_THEN_B = [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]
SIDECAR = {"name": "s", "image": "i", "restartPolicy": "Always"}


def test_a_pod_initializes_and_runs(one: Any) -> None:
    """Each init container runs to its end before the next; then the pod's own containers."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}a.run-seconds": "5", f"{SIM}b.run-seconds": "7"}
            begin = cluster.store.clock.now()
            await cluster.run("web", initContainers=A_THEN_B, annotations=annotations)
            await cluster.until(
                lambda: "running" in inits(cluster, "web").get("a", {"state": ()})["state"]
            )
            assert cluster.state("web") == ("waiting", {"reason": "PodInitializing"})
            assert cluster.pod("web")["status"]["phase"] == "Pending"
            assert conditions(cluster, "web")["Initialized"] == "False"
            await cluster.until_running("web")
            assert cluster.store.clock.now() - begin == pytest.approx(12, abs=0.1)
            assert [item["ready"] for item in inits(cluster, "web").values()] == [True, True]
            assert set(conditions(cluster, "web").values()) == {"True"}
            started = [m for _, r, m in cluster.events.events if r == "Started"]
            assert started == [f"Started container {name}" for name in ("a", "b", "c")]

    scenario()


def test_a_failing_init_container_is_retried_with_growing_delays(one: Any) -> None:
    """If the pod's policy lets it; the pod stays Pending meanwhile."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}a.exit-code": "3"}
            await cluster.run("web", initContainers=A_THEN_B, annotations=annotations)
            await asyncio.sleep(35)
            a = inits(cluster, "web")["a"]
            assert a["restartCount"] == 3
            assert a["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            assert a["lastState"]["terminated"]["exitCode"] == 3
            assert cluster.pod("web")["status"]["phase"] == "Pending"
            assert (
                "Back-off restarting failed container a"
                in cluster.events.messages("web", "BackOff")[0]
            )
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")

    scenario()


def test_a_failing_init_container_fails_a_pod_that_does_not_restart(one: Any) -> None:
    """Nothing after it is started."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}a.exit-code": "3"}
            inits_of_pod = [SIDECAR, *A_THEN_B]
            await cluster.run(
                "web", initContainers=inits_of_pod, annotations=annotations, restartPolicy="Never"
            )
            await cluster.until(lambda: cluster.pod("web")["status"]["phase"] == "Failed")
            assert {
                name: next(iter(item["state"])) for name, item in inits(cluster, "web").items()
            } == {
                "s": "terminated",
                "a": "terminated",
                "b": "waiting",
            }
            assert cluster.state("web") == ("waiting", {"reason": "PodInitializing"})

    scenario()


def test_a_sidecar_runs_beside_a_job_and_ends_with_it(one: Any) -> None:
    """Restarted whatever the pod's policy is, stopped when the main container is done."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}run-seconds": "100", f"{SIM}s.run-seconds": "60"}
            await cluster.run(
                "job", initContainers=[SIDECAR], annotations=annotations, restartPolicy="Never"
            )
            await cluster.until_running("job")
            assert inits(cluster, "job")["s"]["ready"] is True
            await cluster.until(lambda: inits(cluster, "job")["s"]["restartCount"] == 1, 100)
            assert cluster.pod("job")["status"]["phase"] == "Running"
            await cluster.until(lambda: cluster.pod("job")["status"]["phase"] == "Succeeded", 100)
            ended = inits(cluster, "job")["s"]["state"]["terminated"]
            assert ended["exitCode"] == 143
            assert cluster.events.messages("job", "Killing") == ["Stopping container s"]
            assert conditions(cluster, "job")["Initialized"] == "True"

    scenario()


def test_a_deleted_pod_ends_its_sidecars_last_one_first(one: Any) -> None:
    """Each is told to end when what was started after it has ended."""

    @virtual
    async def scenario() -> None:
        async with one(default=Behaviour(stop_seconds=3)) as cluster:
            sidecars = [SIDECAR, {**SIDECAR, "name": "t"}]
            await cluster.run("web", initContainers=sidecars)
            await cluster.until_running("web")
            runtime = cluster.manager._runtimes["simulated"]
            uid = cluster.pod("web")["metadata"]["uid"]
            begin = cluster.store.clock.now()
            await cluster.store.delete("pods", "default", "web")
            ends: dict[str, float] = {}
            while cluster.store.get("pods", "default", "web") is not None:
                await asyncio.sleep(0.1)
                for record in runtime.known(uid):
                    if record.exited is not None:
                        ends[record.started.of.container] = record.exited.finished_at - begin
            assert ends == pytest.approx({"c": 3, "t": 6, "s": 9}, abs=0.1)

    scenario()


def test_a_pod_deleted_while_it_initializes_is_gone_at_once(one: Any) -> None:
    """The running init container is ended, and nothing else is started."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}a.run-seconds": "500"}
            await cluster.run("web", initContainers=A_THEN_B, annotations=annotations)
            await cluster.until(lambda: inits(cluster, "web"))
            begin = cluster.store.clock.now()
            await cluster.store.delete("pods", "default", "web")
            await cluster.until_gone("web")
            assert cluster.store.clock.now() - begin < 1
            await asyncio.sleep(0.01)
            assert cluster.manager._runtimes["simulated"].pods("node-1") == set()
            assert cluster.events.messages("web", "Killing") == ["Stopping container a"]

    scenario()


def test_a_deadline_counts_from_the_first_init_container(one: Any) -> None:
    """The pod fails while it initializes."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}a.run-seconds": "500"}
            await cluster.run(
                "web", initContainers=A_THEN_B, annotations=annotations, activeDeadlineSeconds=20
            )
            await asyncio.sleep(30)
            status = cluster.pod("web")["status"]
            assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
            assert "terminated" in inits(cluster, "web")["a"]["state"]

    scenario()


@pytest.mark.parametrize("lost", ["actor", "daemon"])
def test_a_restart_does_not_run_finished_init_containers_again(one: Any, lost: str) -> None:
    """Neither one of the pod's actor nor one of the daemon."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            annotations = {f"{SIM}b.run-seconds": "9"}
            await cluster.run("web", initContainers=[*A_THEN_B, SIDECAR], annotations=annotations)
            await cluster.until(
                lambda: "running" in inits(cluster, "web").get("b", {"state": ()})["state"]
            )
            if lost == "actor":
                lifecycle.fail(actor_of(cluster, "web"), RuntimeError())
            else:
                await cluster.manager.kill("node-1")
                runtime = cluster.manager._runtimes["simulated"]
                for record in list(runtime._records):
                    runtime.remove(record.started.id)
                await cluster.manager.add(simulated_node(1, events=True))
            await cluster.until_running("web")
            assert {name: item["restartCount"] for name, item in inits(cluster, "web").items()} == {
                "a": 0,
                "b": 0,
                "s": 0,
            }
            assert cluster.events.reasons("web").count("Started") == 4

    scenario()
