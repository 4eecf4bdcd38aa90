"""What to do with a pod: pure decisions over its state, carried out by the pod's actor.

Rules and numbers are the kubelet's (``kuberuntime_manager``, ``kubelet_pods``, ``flowcontrol``).
"""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.node.states import ContainerState, Phase, PodState
from orchestrator.resources.objects import Object, meta, name_of, namespace_of, spec_of, uid_of
from orchestrator.resources.timestamps import parse_time

BACKOFF_INITIAL = 10.0
"""Seconds before the second restart; the first one is immediate."""
BACKOFF_LIMIT = 300.0
"""Seconds the delay doubles up to."""
BACKOFF_RESET = 600.0
"""Seconds a container must have run for its delay to start anew: twice the limit."""
DEFAULT_GRACE = 30
_CLOCK_SLACK = 1.0
"""Seconds by which the clock may seem to lie before a container's end without having been set."""
DEADLINE_EXCEEDED = (
    "DeadlineExceeded",
    "Pod was active on the node longer than the specified deadline",
)


class Stop(NamedTuple):
    """End a container within ``grace`` seconds."""

    container: ContainerState
    grace: float


class Plan(NamedTuple):
    """What a pod needs now; carried out by ``PodActor`` in the order of the fields.

    Attributes:
        stop: Containers to end.
        start: Containers to start now.
        hold: Containers whose crash-loop delay runs, to be shown as waiting.
        wake_at: When to decide again, seconds since the epoch, or None.
        finished: Whether the pod is to be deleted and nothing of it runs any more.
        fail: Why the pod is over though its containers are not, as (reason, message), or None.
    """

    stop: tuple[Stop, ...] = ()
    start: tuple[ContainerState, ...] = ()
    hold: tuple[ContainerState, ...] = ()
    wake_at: float | None = None
    finished: bool = False
    fail: tuple[str, str] | None = None


NOTHING = Plan()
_FINISHED = Plan(finished=True)


def decide_pod(state: PodState, now: float) -> Plan:
    """Decide what a pod needs.

    Args:
        state: What the node knows.
        now: Wall seconds since the epoch.
    """
    pod = state.pod
    if state.gone or "deletionTimestamp" in pod["metadata"]:
        return _decide_end(state, now)
    if state.failed or is_terminal(pod):
        return _decide_halt(state)
    wake_at = deadline_of(state) if "activeDeadlineSeconds" in pod["spec"] else None
    if wake_at is not None and now >= wake_at:
        return Plan(stop=_end_all(state), fail=DEADLINE_EXCEEDED)
    if state.unsupported or state.waiting:
        return NOTHING if wake_at is None else Plan(wake_at=wake_at)
    policy = pod["spec"].get("restartPolicy") or "Always"
    start: list[ContainerState] = []
    hold: list[ContainerState] = []
    stop: list[Stop] = []
    for container in state.containers:
        if container.phase is Phase.NEW:
            start.append(container)
        elif container.changed:
            # Upstream restarts it whatever the policy is, and without a delay.
            if container.phase is Phase.EXITED:
                start.append(container)
            elif not container.stopping:
                stop.append(Stop(container, _grace_of(pod)))
        elif container.phase is Phase.EXITED and should_restart(policy, container.exit_code):
            due = restart_due(container)
            if now >= due or now < container.finished_at - _CLOCK_SLACK:  # it was set back
                start.append(container)
            else:
                hold.append(container)
                wake_at = due if wake_at is None else min(wake_at, due)
    if not start and not hold and not stop and wake_at is None:
        return NOTHING
    return Plan(tuple(stop), tuple(start), tuple(hold), wake_at)


def deadline_of(state: PodState) -> float | None:
    """Return when ``activeDeadlineSeconds`` have passed, seconds since the epoch.

    They count from the status's ``startTime``, so that a restart of the daemon changes nothing.
    """
    seconds = state.pod["spec"].get("activeDeadlineSeconds")
    if seconds is None:
        return None
    begun = (state.pod.get("status") or {}).get("startTime")
    try:
        return (parse_time(begun) if begun else state.started_at) + float(seconds)
    except ValueError:
        return state.started_at + float(seconds)


def _grace_of(pod: Object) -> float:
    grace = spec_of(pod).get("terminationGracePeriodSeconds")
    return float(DEFAULT_GRACE if grace is None else grace)


def _end_all(state: PodState) -> tuple[Stop, ...]:
    grace = _grace_of(state.pod)
    return tuple(Stop(item, grace) for item in state.containers if item.is_live)


def _decide_end(state: PodState, now: float) -> Plan:
    grace = 0.0 if state.gone else remaining_grace(state.pod, now)
    stop = tuple(Stop(item, grace) for item in state.containers if item.is_live)
    return Plan(stop=stop) if stop else _FINISHED


def _decide_halt(state: PodState) -> Plan:
    """A pod that is over, by whoever's word, has nothing running."""
    return Plan(stop=_end_all(state))


def is_terminal(pod: Object) -> bool:
    """Whether the stored phase says that the pod is over; that is never taken back."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def remaining_grace(pod: Object, now: float) -> float:
    """Seconds a pod's containers still have from now, when its deletion was asked for."""
    metadata = meta(pod)
    grace = metadata.get("deletionGracePeriodSeconds")
    if grace == 0:
        return 0.0
    try:
        # The stamp is when the grace ends, cut to a whole second.
        left = parse_time(metadata["deletionTimestamp"]) + 1 - now
    except ValueError:
        left = 0.0
    return max(0.0, min(left, float(DEFAULT_GRACE if grace is None else grace)))


def should_restart(policy: str, exit_code: int) -> bool:
    """Whether an ended container is started again under ``restartPolicy``."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def restart_due(container: ContainerState) -> float:
    """When an ended container may start again, seconds since the epoch; may lie in the past."""
    if _is_expired(container):
        return container.finished_at
    return container.finished_at + container.backoff


def next_backoff(container: ContainerState) -> float:
    """Return the delay to hold against the restart after the one that happens now."""
    if _is_expired(container):
        return BACKOFF_INITIAL
    return min(container.backoff * 2, BACKOFF_LIMIT)


def _is_expired(container: ContainerState) -> bool:
    return not container.backoff or (container.finished_at - container.backoff_at > BACKOFF_RESET)


def describe_backoff(pod: Object, container: ContainerState) -> str:
    """Return the kubelet's sentence for a running crash-loop delay."""
    return (
        f"back-off {_duration(container.backoff)} restarting failed container={container.name} "
        f"pod={name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
    )


def _duration(seconds: float) -> str:
    """Format as Go does: ``10s``, ``1m20s``, ``5m0s``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
