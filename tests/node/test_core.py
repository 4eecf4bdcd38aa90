"""Decisions about pods: restart policies, crash-loop delays, grace, phases."""

from typing import Any

import pytest

from orchestrator.node.core import decide_pod
from orchestrator.node.ending import remaining_grace
from orchestrator.node.phases import pod_phase
from orchestrator.node.restarting import (
    BACKOFF_RESET,
    describe_backoff,
    next_backoff,
    restart_due,
)
from orchestrator.node.states import ContainerState, Phase, PodState
from orchestrator.node.statuses import pod_status, status_change
from orchestrator.resources.timestamps import format_time

NOW = 1_000_000.0


def container(phase: Phase = Phase.NEW, **values: Any) -> ContainerState:
    """Build a container's state."""
    made = ContainerState(values.pop("name", "c"))
    made.phase = phase
    for name, value in values.items():
        setattr(made, name, value)
    return made


def state(*containers: ContainerState, policy: str = "Always", **metadata: Any) -> PodState:
    """Build a pod's state."""
    for index, item in enumerate(containers):
        item.index = index
    pod = {
        "metadata": {"name": "p", "namespace": "ns", "uid": "u-1", **metadata},
        "spec": {
            "restartPolicy": policy,
            "containers": [{"name": item.name, "image": "i"} for item in containers],
        },
        "status": {"phase": "Pending"},
    }
    return PodState(
        pod=pod, containers=list(containers), host="h", runtime="r", started_at=NOW, address="a"
    )


@pytest.mark.parametrize(
    ("policy", "exit_code", "restarted"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 137, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_the_restart_policy_decides_about_an_ended_container(
    policy: str, exit_code: int, restarted: bool
) -> None:
    """The first restart is immediate."""
    ended = container(Phase.EXITED, exit_code=exit_code, finished_at=NOW)
    assert bool(decide_pod(state(ended, policy=policy), NOW).start) is restarted


def test_a_clock_that_was_set_back_delays_no_restart() -> None:
    """An end that lies in the future says that the clock was set, not that there is to wait."""
    ended = container(Phase.EXITED, exit_code=1, finished_at=NOW, backoff=10.0, backoff_at=NOW)
    assert not decide_pod(state(ended), NOW + 1).start
    assert not decide_pod(state(ended), NOW - 0.5).start
    assert decide_pod(state(ended), NOW - 3600).start


def test_delays_double_up_to_five_minutes_and_start_anew_after_ten() -> None:
    """10 s, 20 s, 40 s, 80 s, 160 s, 300 s; a container that ran long enough begins at 10 s."""
    one = container(Phase.EXITED, finished_at=NOW)
    delays = []
    for _ in range(7):
        one.backoff = next_backoff(one)
        one.backoff_at = one.finished_at
        delays.append(one.backoff)
        one.finished_at += 1
    assert delays == [10, 20, 40, 80, 160, 300, 300]
    one.finished_at = one.backoff_at + BACKOFF_RESET + 1
    assert restart_due(one) == one.finished_at
    assert next_backoff(one) == 10


def test_a_probes_victims_wait_from_the_end_of_the_attempt_before() -> None:
    """One that lives for 30 s between its kills is not delayed before the delay is 40 s."""
    one = container(Phase.EXITED, condemned="liveness probe", finished_at=NOW)
    delays, waits = [], []
    for _ in range(6):
        waits.append(max(0, restart_due(one) - one.finished_at))
        one.backoff = next_backoff(one)
        one.backoff_at = one.finished_at
        delays.append(one.backoff)
        one.ended_before = one.finished_at
        one.finished_at += 30 + waits[-1]
    assert delays == [0, 10, 20, 40, 80, 160]
    assert waits == [0, 0, 0, 0, 10, 40]


@pytest.mark.parametrize(
    ("policy", "condemned", "restarted"),
    [
        ("OnFailure", "", False),
        ("OnFailure", "liveness probe", True),
        ("OnFailure", "postStart hook", False),
        ("Never", "startup probe", False),
    ],
)
def test_a_container_that_failed_a_probe_is_restarted_whatever_its_exit_code(
    policy: str, condemned: str, restarted: bool
) -> None:
    """Unless nothing is: the kubelet decides before it kills."""
    one = state(container(Phase.EXITED, condemned=condemned, finished_at=NOW), policy=policy)
    assert bool(decide_pod(one, NOW).start) is restarted
    assert pod_phase(one) == ("Running" if restarted else "Succeeded")


def test_a_held_container_names_its_delay_and_wakes_the_pod_when_it_is_over() -> None:
    """The message is the kubelet's, with Go's way to write a duration."""
    held = container(Phase.EXITED, finished_at=NOW, backoff=80.0, backoff_at=NOW - 1)
    plan = decide_pod(state(held), NOW + 5)
    assert (plan.start, plan.hold, plan.wake_at) == ((), (held,), NOW + 80)
    text = "back-off 1m20s restarting failed container=c pod=p_ns(u-1)"
    assert describe_backoff(state(held).pod, held) == text


def test_a_pod_on_its_way_out_shows_how_its_containers_ended() -> None:
    """A crash-loop delay that nobody waits for any more is not shown."""
    crashed = container(
        Phase.EXITED, id="x", exit_code=1, started_at=NOW, finished_at=NOW, backoff=80.0, held=True
    )
    living = pod_status(state(crashed), NOW)["containerStatuses"][0]
    assert living["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert living["lastState"]["terminated"]["exitCode"] == 1
    leaving = pod_status(state(crashed, deletionTimestamp=format_time(NOW + 20)), NOW)
    ended = leaving["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (1, "Error")


def test_a_deleted_pod_stops_what_runs_and_is_finished_when_nothing_does() -> None:
    """Stops are repeated with what is left of the grace."""
    stamp = format_time(NOW + 20)
    metadata: dict[str, Any] = {"deletionTimestamp": stamp, "deletionGracePeriodSeconds": 30}
    running = container(Phase.RUNNING)
    plan = decide_pod(state(running, container(Phase.EXITED), **metadata), NOW)
    assert [(item.container, item.grace) for item in plan.stop] == [(running, 21.0)]
    assert [(item.container, item.grace) for item in plan.signal] == [(running, 21.0)]
    assert not plan.start
    assert decide_pod(state(container(Phase.EXITED), **metadata), NOW).finished
    assert decide_pod(state(container(), **metadata), NOW).finished


def test_a_death_that_does_not_come_is_asked_for_again() -> None:
    """The runtime may have failed with the request."""
    stamp = format_time(NOW)
    metadata: dict[str, Any] = {"deletionTimestamp": stamp, "deletionGracePeriodSeconds": 30}
    running = container(Phase.RUNNING, stopping=True, stop_by=NOW, signalled=NOW + 2)
    plan = decide_pod(state(running, **metadata), NOW + 3)
    assert (plan.signal, plan.wake_at) == ((), NOW + 7)
    plan = decide_pod(state(running, **metadata), NOW + 7)
    assert [(item.container, item.grace) for item in plan.signal] == [(running, 2.0)]


@pytest.mark.parametrize(("grace", "left", "expected"), [(0, 0, 0.0), (30, -60, 0.0), (5, 100, 5)])
def test_the_grace_is_bounded_by_the_deletion_and_by_what_was_asked(
    grace: int, left: int, expected: float
) -> None:
    """A daemon that was away does not grant the time again."""
    metadata = {
        "deletionTimestamp": format_time(NOW + left),
        "deletionGracePeriodSeconds": grace,
    }
    assert remaining_grace({"metadata": metadata}, NOW) == expected


def test_a_removed_pod_is_killed_at_once() -> None:
    """Forced deletion leaves no grace."""
    gone = state(container(Phase.RUNNING))
    gone.gone = True
    assert [item.grace for item in decide_pod(gone, NOW).signal] == [0.0]


@pytest.mark.parametrize(
    ("policy", "containers", "expected"),
    [
        ("Always", [{}], "Pending"),
        ("Always", [{"phase": Phase.STARTING}], "Pending"),
        ("Always", [{"phase": Phase.RUNNING}], "Running"),
        ("Always", [{"phase": Phase.RUNNING}, {}], "Pending"),
        ("Always", [{"phase": Phase.EXITED, "exit_code": 0}], "Running"),
        ("Always", [{"phase": Phase.STARTING, "last": {"exitCode": 1}}], "Running"),
        ("Never", [{"phase": Phase.EXITED}], "Succeeded"),
        ("Never", [{"phase": Phase.EXITED, "exit_code": 1}], "Failed"),
        ("Never", [{"phase": Phase.EXITED, "exit_code": 1}, {"phase": Phase.RUNNING}], "Running"),
        ("OnFailure", [{"phase": Phase.EXITED}], "Succeeded"),
        ("OnFailure", [{"phase": Phase.EXITED, "exit_code": 1}], "Running"),
    ],
)
def test_the_phase_follows_from_containers_and_policy(
    policy: str, containers: list[dict[str, Any]], expected: str
) -> None:
    """The kubelet's ``getPhase``."""
    items = [container(name=f"c{n}", **values) for n, values in enumerate(containers)]
    assert pod_phase(state(*items, policy=policy)) == expected


def test_a_status_keeps_transition_times_and_foreign_conditions() -> None:
    """Only what changed gets a new time; what others wrote stays."""
    one = state(container(Phase.RUNNING, id="x", started_at=NOW))
    foreign = {"type": "example.com/gate", "status": "True"}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "then"}
    one.pod["status"]["conditions"] = [scheduled, foreign]
    first = pod_status(one, NOW)
    one.status = first
    one.containers[0].phase = Phase.EXITED
    second = pod_status(one, NOW + 60)
    times = {
        item["type"]: item.get("lastTransitionTime") == format_time(NOW)
        for item in second["conditions"]
        if item["type"] not in ("example.com/gate", "PodScheduled")
    }
    assert times == {
        "PodReadyToStartContainers": True,
        "Initialized": True,
        "Ready": False,
        "ContainersReady": False,
    }
    assert foreign in second["conditions"]
    assert scheduled in second["conditions"]


def test_a_phase_that_is_over_is_never_taken_back() -> None:
    """Whoever failed the pod, the node's later status does not revive it."""
    one = state(container(Phase.RUNNING, id="x", started_at=NOW))
    change = status_change(pod_status(one, NOW), None)
    stored = {**one.pod, "status": {"phase": "Failed", "reason": "Evicted"}}
    changed = change(stored)
    assert isinstance(changed, dict)
    assert (changed["status"]["phase"], changed["status"]["reason"]) == ("Failed", "Evicted")


def test_a_readiness_gate_holds_back_readiness_until_its_condition_is_true() -> None:
    """In the kubelet's words."""
    one = state(container(Phase.RUNNING, id="x", started_at=NOW))
    one.pod["spec"]["readinessGates"] = [{"conditionType": "example.com/gate"}]
    conditions = {item["type"]: item for item in pod_status(one, NOW)["conditions"]}
    assert conditions["Ready"]["reason"] == "ReadinessGatesNotReady"
    assert conditions["ContainersReady"]["status"] == "True"
    one.pod["status"]["conditions"] = [{"type": "example.com/gate", "status": "True"}]
    conditions = {item["type"]: item for item in pod_status(one, NOW)["conditions"]}
    assert conditions["Ready"]["status"] == "True"
