"""What pods propose to the store, gathered: one write for all that changed in a pass.

Proposals are kept by pod, the newest one only, so that the outbox holds at most one for each pod
however long the store takes. One write is under way at a time; what comes meanwhile is the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store.operations import Delete, DeleteOptions, Modify, Operation

BATCH = 4096
"""Pods written at once; more of them wait for the next write."""


class Proposal(NamedTuple):
    """What one pod wants written.

    Attributes:
        uid: The pod's; its successor of the same name is not touched.
        namespace: The pod's.
        name: The pod's.
        status: The whole status, or None to leave it.
        seen: The stored status that ``status`` was computed from.
        delete: Whether to confirm the deletion: nothing of the pod runs any more.
        kept: Fields of ``status`` that are as in ``seen``, of which it has all; None: unknown.
    """

    uid: str
    namespace: str
    name: str
    status: Object | None
    seen: Object | None
    delete: bool = False
    kept: frozenset[str] | None = None


class Writer(Protocol):
    """The part of the store that the outbox needs."""

    async def write(
        self, operations: Sequence[Operation], *, timeout: float = 30, by: str = ""
    ) -> list[Object | StatusError]:
        """Commit operations together; one result for each."""


class Outbox:
    """Proposals waiting to be written, by pod."""

    __slots__ = ("_flying", "_notify", "_waiting")

    def __init__(self, notify: Callable[[], None]) -> None:
        """Gather; ``notify`` is called when there is something to `take` and nothing flies."""
        self._waiting: dict[str, Proposal] = {}
        self._flying: dict[str, Proposal] = {}
        self._notify = notify

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flying)

    def put(self, proposal: Proposal) -> None:
        """Add a proposal; it replaces the one of the same pod that still waits."""
        if not self._waiting and not self._flying:
            self._notify()
        self._waiting[proposal.uid] = proposal

    def forget(self, uid: str) -> None:
        """Drop what a pod wants written, unless it is being written."""
        self._waiting.pop(uid, None)

    def is_pending(self, uid: str) -> bool:
        """Whether something of the pod is waiting or being written."""
        return uid in self._waiting or uid in self._flying

    def take(self) -> list[Proposal]:
        """Take the next batch to write; empty while one is under way."""
        if self._flying:
            return []
        if len(self._waiting) <= BATCH:
            self._flying, self._waiting = self._waiting, {}
        else:
            for uid in list(self._waiting)[:BATCH]:
                self._flying[uid] = self._waiting.pop(uid)
        return list(self._flying.values())

    def done(self, again: Sequence[Proposal] = ()) -> bool:
        """Note the end of a write.

        Args:
            again: Proposals that failed for a passing reason; newer ones go first.

        Returns:
            Whether more is waiting.
        """
        self._flying = {}
        for proposal in again:
            self._waiting.setdefault(proposal.uid, proposal)
        return bool(self._waiting)


def plan_write(proposals: Sequence[Proposal]) -> list[Operation]:
    """Return the operations of a batch: for each pod its status, then its removal."""
    from orchestrator.node.statuses import status_change

    operations: list[Operation] = []
    for proposal in proposals:
        if proposal.status is not None:
            operations.append(
                Modify(
                    "pods",
                    proposal.namespace,
                    proposal.name,
                    status_change(proposal.status, proposal.seen, proposal.kept),
                    "status",
                    proposal.uid,
                )
            )
        if proposal.delete:
            options = DeleteOptions(grace_period_seconds=0, uid=proposal.uid)
            operations.append(Delete("pods", proposal.namespace, proposal.name, options))
    return operations


def failed_for_now(
    proposals: Sequence[Proposal], results: Sequence[Object | StatusError]
) -> list[Proposal]:
    """Return the proposals to repeat: those refused by a fault, not by the pod being gone."""
    if not any(map(_is_error, results)):
        return []
    outcome = iter(results)
    again: list[Proposal] = []
    for proposal in proposals:
        count = (proposal.status is not None) + proposal.delete
        errors = [item for item in (next(outcome) for _ in range(count)) if _is_error(item)]
        if any(isinstance(error, StatusError) and error.code >= 429 for error in errors):
            again.append(proposal)
    return again


def _is_error(result: Object | StatusError) -> bool:
    return isinstance(result, StatusError)
