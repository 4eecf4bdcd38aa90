"""A pod's conditions, as the kubelet would write them: pure.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from orchestrator.node.phases import has_begun
from orchestrator.node.states import ContainerState, Phase, PodState, Role
from orchestrator.resources.objects import Object

OWN_CONDITIONS = frozenset(
    ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
)
"""Condition types the node writes; others on the pod are kept as they are."""


def pod_conditions(
    state: PodState, present: Object, stored: Object, phase: str, now: str
) -> list[Object]:
    """Return own conditions, dated by the last ones proposed, then others' as they are stored.

    Args:
        state: The pod.
        present: The status last proposed, or the stored one.
        stored: The stored status.
        phase: From `pod_phase`.
        now: The time, as it is written.
    """
    old = present.get("conditions") or ()
    generation = state.pod["metadata"].get("generation")
    sandbox = bool(state.address) and (phase not in ("Succeeded", "Failed") or state.has_live)
    unready = [item.name for item in state.inits if _is_unready(item)]
    unready += [item.name for item in state.containers if _is_unready(item)]
    if not (unready or state.inits) and sandbox and _is_fresh(old) and not _gates(state):
        return [*_ready_conditions(now, generation), *old]
    foreign = stored.get("conditions") or ()
    reason, message = _unready(phase, unready)
    wanted = [
        _condition("PodReadyToStartContainers", sandbox),
        _initialized(state, phase),
        _ready(state, reason, message, foreign),
        _condition("ContainersReady", not reason, reason, message),
        _condition("PodScheduled", True),
    ]
    by_type = {item["type"]: item for item in (*foreign, *old)}
    conditions = [_dated(item, by_type.get(item["type"]), now, generation) for item in wanted[:-1]]
    scheduled = by_type.get("PodScheduled")
    conditions.append(scheduled or _dated(wanted[-1], None, now, generation))
    return conditions + [item for item in foreign if item["type"] not in OWN_CONDITIONS]


def _is_unready(container: ContainerState) -> bool:
    return container.role is not Role.INIT and not (
        container.phase is Phase.RUNNING and container.started and container.ready
    )


def _gates(state: PodState) -> Sequence[Object]:
    return state.pod["spec"].get("readinessGates") or ()


def _initialized(state: PodState, phase: str) -> Object:
    """A pod whose main containers have run stays initialized, whatever its sidecars do."""
    if phase == "Succeeded":
        return _condition("Initialized", True, "PodCompleted")
    incomplete = [item.name for item in state.inits if not item.is_done]
    if not incomplete or has_begun(state):
        return _condition("Initialized", True)
    text = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return _condition("Initialized", False, "ContainersNotInitialized", text)


def _is_fresh(old: Sequence[Object]) -> bool:
    """Whether no node has written conditions yet: the scheduler's only."""
    return len(old) == 1 and old[0]["type"] == "PodScheduled"


@lru_cache(maxsize=16)
def _ready_conditions(now: str, generation: int | None) -> tuple[Object, ...]:
    """All conditions of a pod that is ready at its first status; shared by all of that second."""
    types = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
    return tuple(_dated(_condition(kind, True), None, now, generation) for kind in types)


def _unready(phase: str, unready: list[str]) -> tuple[str, str]:
    if phase == "Succeeded":
        return "PodCompleted", ""
    if phase == "Failed":
        return "PodFailed", ""
    if unready:
        return "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "", ""


def _ready(state: PodState, reason: str, message: str, others: Iterable[Object]) -> Object:
    gates = () if reason else _gates(state)
    states = {item["type"]: item["status"] for item in others} if gates else {}
    missing = []
    for gate in gates:
        kind = gate["conditionType"]
        if kind not in states:
            missing.append(
                f'corresponding condition of pod readiness gate "{kind}" does not exist.'
            )
        elif states[kind] != "True":
            missing.append(
                f'the status of pod readiness gate "{kind}" is not "True", but {states[kind]}'
            )
    if missing:
        return _condition("Ready", False, "ReadinessGatesNotReady", ", ".join(missing))
    return _condition("Ready", not reason, reason, message)


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
    condition: Object = {"type": kind, "status": "True" if holds else "False"}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _dated(wanted: Object, old: Object | None, now: str, generation: int | None) -> Object:
    """Add the times; the old condition itself comes back when nothing changed."""
    moved = old is None or old.get("status") != wanted["status"]
    since = now if old is None or moved else old.get("lastTransitionTime", now)
    new: Object = {"lastProbeTime": None, "lastTransitionTime": since, **wanted}
    if generation is not None:
        new["observedGeneration"] = generation
    return old if old is not None and new == old else new
