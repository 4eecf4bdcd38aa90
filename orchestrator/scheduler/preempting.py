"""Carrying out a preemption: what is written for it, as pure changes and lists of operations.

The nomination, the victims' condition and their deletion go to the store in one batch, so that a
scheduler that fails leaves all of them or none behind. Victims keep their own grace period: the
preemptor waits, nominated to their node, until they are gone.

Source of the rules: ``prepareCandidate`` in ``pkg/scheduler/framework/preemption``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

from orchestrator.resources.conditions import find_condition, set_condition
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.scheduler.binding import nominate
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.preemption import Preemption
from orchestrator.store import Delete, DeleteOptions, Modify, Operation

DISRUPTION: Final = "DisruptionTarget"
REASON: Final = "PreemptionByScheduler"
_GONE: Final = frozenset({404, 409})  # there is no such pod, or another one under its name


class Eviction(NamedTuple):
    """One victim that has to be told.

    Attributes:
        victim: The pod.
        preemptor: The uid of the pod that takes its place.
        node: Where.
        scheduler: Who says so.
    """

    victim: PodState
    preemptor: str
    node: str
    scheduler: str

    @property
    def message(self) -> str:
        """What the victim's event says."""
        return f"Preempted by pod {self.preemptor} on node {self.node}"


class Plan(NamedTuple):
    """What has to be done so that victims go.

    Attributes:
        evictions: Pods to delete.
        rejected: Pods that wait for permission to be bound: they are refused it.
    """

    evictions: tuple[Eviction, ...]
    rejected: tuple[PodState, ...]


def plan_evictions(
    preemption: Preemption, preemptor: PodState, scheduler: str, waiting: Container[str] = ()
) -> Plan:
    """Say what happens to each victim; `operations_of` has the writes for the evictions.

    Args:
        preemption: Whom to remove, and from where.
        preemptor: For whom.
        scheduler: The preemptor's ``spec.schedulerName``.
        waiting: Uids of pods that wait for permission to be bound.
    """
    evictions, rejected = [], []
    for victim in preemption.victims:
        if victim.uid in waiting:
            rejected.append(victim)
        elif not victim.terminating and not victim.preempted:  # else it is on its way out
            evictions.append(Eviction(victim, preemptor.uid, preemption.node.name, scheduler))
    return Plan(tuple(evictions), tuple(rejected))


def operations_of(evictions: Iterable[Eviction], now: str) -> list[Operation]:
    """Return two writes for each eviction: the condition that says why, and the deletion.

    Args:
        evictions: In the order in which `settle` is to have their results.
        now: Formatted time for ``lastTransitionTime``.
    """
    operations: list[Operation] = []
    for victim, _, _, scheduler in evictions:
        key = victim.key
        mark = partial(mark_victim, now, scheduler)
        operations += (
            Modify(key.resource, key.namespace, key.name, mark, "status", victim.uid),
            Delete(key.resource, key.namespace, key.name, DeleteOptions(uid=victim.uid)),
        )
    return operations


def settle(
    evictions: Sequence[Eviction], results: Sequence[Object | StatusError]
) -> tuple[list[tuple[Eviction, Object]], list[tuple[Eviction, StatusError]]]:
    """Tell the evictions that were written, with the victims, from those that were refused.

    A victim that is gone already is neither.
    """
    done, refused = [], []
    for eviction, result in zip(evictions, results[1::2], strict=True):
        if not isinstance(result, StatusError):
            done.append((eviction, result))
        elif result.code not in _GONE:
            refused.append((eviction, result))
    return done, refused


def mark_victim(now: str, scheduler: str, current: Object) -> Object | None:
    """Return the pod with the condition that it is preempted; None when it goes already."""
    if is_deleting(current):
        return None
    status = current.get("status") or {}
    conditions = set_condition(
        status.get("conditions"),
        DISRUPTION,
        "True",
        now=now,
        reason=REASON,
        message=f"{scheduler}: preempting to accommodate a higher priority pod",
        lastProbeTime=None,
        observedGeneration=current["metadata"].get("generation"),
    )
    return {**current, "status": {**status, "conditions": conditions}}


def is_preempted(pod: Object) -> bool:
    """Tell whether a pod is being deleted since a scheduler preempted it."""
    if not is_deleting(pod):
        return False
    condition = find_condition(pod, DISRUPTION)
    return (
        condition is not None
        and condition.get("status") == "True"
        and condition.get("reason") == REASON
    )


def clear_nomination(pod: PodState) -> Operation:
    """Return the write that ends a pod's nomination: one of higher priority takes its place."""
    key = pod.key
    return Modify(
        key.resource,
        key.namespace,
        key.name,
        lambda current: nominate(current, ""),
        "status",
        pod.uid,
    )
