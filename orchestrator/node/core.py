"""What to do with a pod: pure decisions over its state, carried out by the pod's actor.

Rules are the kubelet's (``computePodActions``); see `restarting` for delays and `ending` for ends.
https://kubernetes.io/docs/concepts/workloads/pods/init-containers/
https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
"""

from __future__ import annotations

from orchestrator.node.admission import is_terminal
from orchestrator.node.ending import end, end_all, grace_for, grace_of, remaining_grace
from orchestrator.node.plans import FINISHED, NOTHING, Draft, Plan
from orchestrator.node.restarting import comes_back, is_due, restart_due, restarts
from orchestrator.node.states import BEGINNING, ContainerState, Phase, PodState, Role
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import parse_time

DEADLINE_EXCEEDED = (
    "DeadlineExceeded",
    "Pod was active on the node longer than the specified deadline",
)


def decide_pod(state: PodState, now: float) -> Plan:
    """Decide what a pod needs.

    Args:
        state: What the node knows.
        now: Wall seconds since the epoch.
    """
    pod = state.pod
    if state.gone or "deletionTimestamp" in pod["metadata"]:
        return _decide_deletion(state, now)
    draft = Draft()
    if state.failed or state.refused or is_terminal(pod) or is_over(state):
        end_all(draft, state, grace_of(pod), now)
        return draft.plan()
    if "activeDeadlineSeconds" in pod["spec"]:
        deadline = deadline_of(state)
        if deadline is not None:
            if now >= deadline:
                end_all(draft, state, grace_of(pod), now)
                return draft.plan(DEADLINE_EXCEEDED)
            draft.wake(deadline)
    if state.unsupported or state.waiting:
        return NOTHING if draft.wake_at is None else Plan(wake_at=draft.wake_at)
    if not state.inits or _decide_inits(draft, state, now):
        _decide_mains(draft, state, now)
    for container in state.debuggers:
        if container.phase is Phase.NEW:
            _begin(draft, container, now)
    return draft.plan()


def _decide_deletion(state: PodState, now: float) -> Plan:
    if not state.has_live:
        return FINISHED
    draft = Draft()
    end_all(draft, state, 0.0 if state.gone else remaining_grace(state.pod, now), now)
    return draft.plan()


def _decide_inits(draft: Draft, state: PodState, now: float) -> bool:
    """Decide about init containers and sidecars; tell whether main containers may start.

    Only the newest one that has begun matters for what comes next; sidecars before it are kept
    running whatever becomes of it.
    """
    inits = state.inits
    begun = any(map(_has_begun, state.containers))
    newest = max((item.index for item in inits if _has_begun(item)), default=-1)
    for container in inits if begun else inits[: newest + 1]:
        if container.role is Role.SIDECAR:
            _keep(draft, state, container, now)
    if begun:
        return True
    if newest >= 0:
        container = inits[newest]
        if container.role is Role.INIT and container.phase is not Phase.EXITED:
            if container.phase is Phase.NEW:
                _begin(draft, container, now)
            return False
        if not container.is_done:
            if container.role is Role.INIT:
                _restart(draft, container, now)
            return False
        if newest == len(inits) - 1:
            return True
    _begin(draft, inits[newest + 1], now)
    return False


def _begin(draft: Draft, container: ContainerState, now: float) -> None:
    """Start a container, unless its image could not be pulled a moment ago."""
    if container.pull is not None and now < container.pull.look_at:
        draft.wake(container.pull.look_at)
    else:
        draft.start.append(container)


def _has_begun(container: ContainerState) -> bool:
    return container.phase is not Phase.NEW or container.last is not None


def _decide_mains(draft: Draft, state: PodState, now: float) -> None:
    """Keep main containers running; one with a ``postStart`` hook holds up those after it."""
    blocked = False
    for container in state.containers:
        if not blocked or container.is_live:
            _keep(draft, state, container, now)
        starts = container.phase in BEGINNING or container in draft.start
        blocked = blocked or (starts and has_post_start(state.spec(container)))


def has_post_start(spec: Object) -> bool:
    """Whether a container has a ``postStart`` hook."""
    return "lifecycle" in spec and bool((spec["lifecycle"] or {}).get("postStart"))


def _keep(draft: Draft, state: PodState, container: ContainerState, now: float) -> None:
    """Decide about one container of a pod that goes on."""
    if container.is_live:
        # One whose image changed is restarted whatever the policy is, and without a delay.
        if container.stopping or container.changed or container.condemned:
            end(draft, state, container, grace_for(state, container), now)
    elif container.phase is Phase.NEW or container.changed:
        _begin(draft, container, now)
    elif comes_back(state.spec(container), policy_of(state.pod), container):
        _restart(draft, container, now)


def _restart(draft: Draft, container: ContainerState, now: float) -> None:
    if is_due(container, now):
        draft.start.append(container)
    else:
        draft.hold.append(container)
        draft.wake(restart_due(container))


def is_over(state: PodState) -> bool:
    """Whether the pod has done what it was for, or cannot any more: sidecars need not go on."""
    policy = policy_of(state.pod)
    for container in state.containers:
        if container.phase is not Phase.EXITED or comes_back(
            state.spec(container), policy, container
        ):
            return bool(state.inits) and has_failed_init(state)
    return True


def has_failed_init(state: PodState) -> bool:
    """Whether an init container failed that is not started again."""
    policy = policy_of(state.pod)
    return any(
        item.role is Role.INIT
        and item.phase is Phase.EXITED
        and item.exit_code != 0
        and not restarts(state.spec(item), policy, item.exit_code)
        for item in state.inits
    )


def policy_of(pod: Object) -> str:
    """Return a pod's ``restartPolicy``."""
    return pod["spec"].get("restartPolicy") or "Always"


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
