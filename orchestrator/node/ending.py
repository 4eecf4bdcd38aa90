"""How containers end: grace, ``preStop`` hooks and the order of sidecars; pure.

A container's grace begins when it is to end. Its hook runs inside the grace; SIGTERM follows when
the hook is over, for a sidecar when its turn has come too, and at the latest when the grace ends,
with two seconds left to obey. All by the kubelet's rules (``killContainer``,
``terminationOrdering``):
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

from orchestrator.node.plans import Draft, Signal, Stop
from orchestrator.node.states import ContainerState, Phase, PodState, Role
from orchestrator.resources.objects import Object, meta, spec_of
from orchestrator.resources.timestamps import parse_time

DEFAULT_GRACE = 30
MINIMUM = 2.0
"""Seconds that every container gets to obey SIGTERM, unless its pod is removed by force."""
AGAIN = 5.0
"""Seconds after a container should be dead until its death is asked for again: whoever was asked
may have failed."""
_SLACK = 0.001
"""Seconds that make no difference between two deadlines."""
_PROBES = {"liveness probe": "livenessProbe", "startup probe": "startupProbe"}


def grace_of(pod: Object) -> float:
    """Return a pod's ``terminationGracePeriodSeconds``."""
    grace = spec_of(pod).get("terminationGracePeriodSeconds")
    return float(DEFAULT_GRACE if grace is None else grace)


def grace_for(state: PodState, container: ContainerState) -> float:
    """Return the grace of a container that ends alone; a probe that failed may have its own."""
    probe = _PROBES.get(container.condemned)
    if probe is not None:
        own = (state.spec(container).get(probe) or {}).get("terminationGracePeriodSeconds")
        if own is not None:
            return float(own)
    return grace_of(state.pod)


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


def is_forced(state: PodState) -> bool:
    """Whether nothing of the pod gets any time."""
    return state.gone or state.pod["metadata"].get("deletionGracePeriodSeconds") == 0


def end_all(draft: Draft, state: PodState, grace: float, now: float) -> None:
    """End what runs: all but sidecars at once, then sidecars, the last one first."""
    later = False
    for container in state.debuggers:
        if container.is_live:
            end(draft, state, container, grace, now)
    for container in state.containers:
        if container.is_live:
            later = True
            end(draft, state, container, grace, now)
    for container in reversed(state.inits):
        if container.is_live:
            sidecar = container.role is Role.SIDECAR
            end(draft, state, container, grace, now, turn=not (sidecar and later))
            later = later or sidecar


def end(
    draft: Draft,
    state: PodState,
    container: ContainerState,
    grace: float,
    now: float,
    *,
    turn: bool = True,
) -> None:
    """Take one container's next step towards its end.

    Args:
        draft: Where the step goes.
        state: The container's pod.
        container: One that is live.
        grace: Seconds it has from now, if its end has not begun yet or should come earlier.
        now: Seconds since the epoch.
        turn: Whether nothing has to end before it.
    """
    if is_forced(state):
        _signal(draft, container, 0.0, now)
        return
    stop_by = now + grace
    if not container.stopping:
        draft.stop.append(Stop(container, grace))
        if has_hook(state, container) and grace > 0:
            return
    else:
        stop_by = min(container.stop_by, stop_by)
    if now < stop_by and (container.hooking or not turn):
        draft.wake(stop_by)
        return
    _signal(draft, container, max(MINIMUM, stop_by - now), now)


def _signal(draft: Draft, container: ContainerState, left: float, now: float) -> None:
    """Signal a container, unless it is to be dead by then already."""
    dead_by = container.signalled
    if dead_by is None or now + left < dead_by - _SLACK or now >= dead_by + AGAIN:
        draft.signal.append(Signal(container, left))
        dead_by = now + left
    draft.wake(dead_by + AGAIN)


def has_hook(state: PodState, container: ContainerState) -> bool:
    """Whether a container has a ``preStop`` hook to run: one that has begun, and not the hook."""
    if container.phase is Phase.STARTING or container.hooked:
        return False
    return bool((state.spec(container).get("lifecycle") or {}).get("preStop"))
