"""A pod's phase, by the kubelet's rules (``getPhase``): pure.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
"""

from __future__ import annotations

from orchestrator.node.admission import is_terminal
from orchestrator.node.core import has_failed_init, policy_of
from orchestrator.node.restarting import comes_back
from orchestrator.node.states import BEGINNING, ContainerState, Phase, PodState, Role
from orchestrator.resources.objects import is_deleting


def pod_phase(state: PodState) -> str:
    """Return the phase. A pod of which something may run is not over yet."""
    if is_terminal(state.pod):
        return str(state.pod["status"]["phase"])
    if not state.inits and not state.failed:
        phase = _main_phase(state)
    elif state.failed or has_failed_init(state):
        phase = "Failed"
    else:
        phase = _phase_with_inits(state)
    if phase in ("Succeeded", "Failed") and state.has_live:
        return str((state.status or state.pod.get("status") or {}).get("phase") or "Pending")
    return phase


def is_held(state: PodState, container: ContainerState) -> bool:
    """Whether a container waits for its crash-loop delay.

    What is not started again does not wait: a pod on its way out shows how its containers ended.
    """
    return container.held and not state.failed and not is_deleting(state.pod)


def has_begun(state: PodState) -> bool:
    """Whether a main container's status tells that it has run."""
    return any(
        item.phase is Phase.RUNNING
        or (item.phase is Phase.EXITED and not is_held(state, item))
        or (item.phase in BEGINNING and item.last is not None)
        for item in state.containers
    )


def _phase_with_inits(state: PodState) -> str:
    begun = has_begun(state)
    running = False
    for container in state.inits:
        if container.role is Role.SIDECAR:
            running = running or container.phase is Phase.RUNNING
            has_run = container.phase is Phase.EXITED or container.last is not None
            is_up = container.phase is Phase.RUNNING and container.started
            if not (begun or is_up or (has_run and container.phase is not Phase.RUNNING)):
                return "Pending"
        elif container.phase is Phase.RUNNING or not (
            container.phase is Phase.EXITED or container.last is not None or begun
        ):
            return "Pending"
    return _main_phase(state, running=running)


def _main_phase(state: PodState, *, running: bool = False) -> str:
    """Return the phase by the main containers.

    Args:
        state: The pod.
        running: Whether a sidecar runs.
    """
    stopped = succeeded = 0
    for container in state.containers:
        if container.phase is Phase.RUNNING:
            running = True
        elif container.phase is Phase.EXITED:
            stopped += 1
            succeeded += container.exit_code == 0 and not is_held(state, container)
        elif container.last:
            stopped += 1
        else:
            return _never_begun(state)
    if running:
        return "Running"
    if any(item.phase is not Phase.EXITED for item in state.containers):
        return "Running"
    policy = policy_of(state.pod)
    again = any(comes_back(state.spec(item), policy, item) for item in state.containers)
    if again and "deletionTimestamp" not in state.pod["metadata"]:
        return "Running"
    return "Succeeded" if stopped == succeeded else "Failed"


def _never_begun(state: PodState) -> str:
    """A pod that is deleted before all its containers have run has failed, once nothing runs."""
    if "deletionTimestamp" in state.pod["metadata"] and not state.has_live:
        return "Failed"
    return "Pending"
