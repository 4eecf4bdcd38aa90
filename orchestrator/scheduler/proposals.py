"""What one pass of the scheduler comes to: the writes, and what each of their results is for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.scheduler import explanations, preempting
from orchestrator.scheduler.binding import Binder, mark_unschedulable, nominate
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.waiting import WaitingPod
from orchestrator.scheduler.extending.cycle import Placement
from orchestrator.store import Modify, Operation


class Binding(NamedTuple):
    """A pod to be bound.

    Attributes:
        pod: Of the queue; it counts on the node already.
        node: Its name.
        placement: What plugins from elsewhere know it by; None where there are none.
    """

    pod: WaitingPod
    node: str
    placement: Placement | None = None


class Proposal(NamedTuple):
    """A batch of writes: bindings first, in order, then claims and volumes, evictions, the rest.

    Attributes:
        bindings: One write each.
        held: The uids of pods that wait for their volumes, and how many writes are about those.
        evictions: Two writes each.
        operations: All writes.
        time: When it was decided, in seconds since the epoch. Nodes see a binding at the moment it
            is committed and may tell of the pod before the scheduler hears of the commit;
            "Scheduled" still comes first.
        began: When the attempts began, by the monotonic clock.
    """

    bindings: tuple[Binding, ...]
    held: tuple[tuple[str, int], ...]
    evictions: tuple[preempting.Eviction, ...]
    operations: tuple[Operation, ...]
    time: float
    began: float


class Results(NamedTuple):
    """The store's answers to a proposal, sorted by what they are for."""

    bindings: Sequence[Object | StatusError]
    held: tuple[tuple[str, Sequence[Object | StatusError]], ...]
    evictions: Sequence[Object | StatusError]


class Drafted:
    """Collects the writes of a pass."""

    def __init__(self, written_at: str) -> None:
        """Begin with none.

        Args:
            written_at: Formatted time for conditions.
        """
        self._written_at = written_at
        self._binder = Binder(written_at)
        self._bindings: list[Binding] = []
        self._bound: list[Operation] = []
        self._held: list[tuple[str, int]] = []
        self._storage: list[Operation] = []
        self._evictions: list[preempting.Eviction] = []
        self._others: list[Operation] = []

    def bind(self, pod: WaitingPod, node: str, placement: Placement | None = None) -> None:
        """Bind a pod."""
        self._bindings.append(Binding(pod, node, placement))
        key = pod.key
        change = partial(self._binder.bind, node)
        self._bound.append(
            Modify(key.resource, key.namespace, key.name, change, "binding", pod.uid)
        )

    def hold(self, pod: WaitingPod, writes: Sequence[Operation]) -> None:
        """Write about the volumes of a pod that is bound later."""
        self._held.append((pod.uid, len(writes)))
        self._storage += writes
        self.expect(pod)

    def expect(self, pod: WaitingPod) -> None:
        """Say on a pod which node it is about to get, since that may take a while.

        Others than the scheduler plan by it, those above all that add nodes to a cluster.
        Upstream: ``NominatedNodeNameForExpectation``.
        """
        self._change(pod, partial(_mark, self._written_at, "", pod.node, ""), "status")

    def evict(self, evictions: Sequence[preempting.Eviction]) -> None:
        """Remove pods that have to make room."""
        self._evictions += evictions

    def mark(self, pod: WaitingPod, message: str, nomination: str | None, reason: str) -> None:
        """Say on a pod why it has no node, and which one is kept for it.

        Args:
            pod: The pod.
            message: Of its condition; empty where that stays as it is.
            nomination: A node's name, empty for none any more, None as before.
            reason: Of its condition.
        """
        self._change(pod, partial(_mark, self._written_at, message, nomination, reason), "status")

    def end_nomination(self, pod: PodState) -> None:
        """Say on a pod that no node is kept for it any more."""
        self._others.append(preempting.clear_nomination(pod))

    def explain(self, pod: WaitingPod, answer: str) -> None:
        """Write on a pod what every plugin said."""
        self._change(pod, partial(explanations.annotate, answer), "")

    def _change(self, pod: WaitingPod, change: partial[Object | None], subresource: str) -> None:
        key = pod.key
        self._others.append(
            Modify(key.resource, key.namespace, key.name, change, subresource, pod.uid)
        )

    def propose(self, time: float, began: float) -> Proposal | None:
        """Return all of it; None when nothing is to be written."""
        evicted = preempting.operations_of(self._evictions, self._written_at)
        operations = (*self._bound, *self._storage, *evicted, *self._others)
        if not operations:
            return None
        return Proposal(
            tuple(self._bindings),
            tuple(self._held),
            tuple(self._evictions),
            operations,
            time,
            began,
        )


def sort_results(proposal: Proposal, results: Sequence[Object | StatusError]) -> Results:
    """Tell the store's answers apart."""
    start = len(proposal.bindings)
    held = []
    for uid, count in proposal.held:
        held.append((uid, results[start : start + count]))
        start += count
    return Results(
        results[: len(proposal.bindings)],
        tuple(held),
        results[start : start + 2 * len(proposal.evictions)],
    )


def is_bound(pod: Object, node: str) -> bool:
    """Tell whether a pod has become bound to the node that was meant."""
    return bool(pod["spec"].get("nodeName") == node)


def _mark(
    now: str, message: str, nomination: str | None, reason: str, current: Object
) -> Object | None:
    if message:
        return mark_unschedulable(now, message, current, reason=reason, nominated=nomination)
    if nomination is None or current["spec"].get("nodeName"):
        return None
    return nominate(current, nomination)
