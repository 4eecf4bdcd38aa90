"""How a store is doing, for the CLI, the metrics and the tests alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.records import dataclass

if TYPE_CHECKING:
    from actors import ActorStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatistics:
    """How a store is doing.

    Attributes:
        sequence: The last committed one.
        snapshot: The sequence of the log's snapshot, 0 for none.
        objects: Their number, by resource.
        window: Events that are kept for watchers.
        oldest: The lowest version that can be watched from.
        followers: Their number.
        pending: Objects with a change that is not durable yet.
        mailbox: The sequencer's.
    """

    sequence: int
    snapshot: int
    objects: dict[str, int]
    window: int
    oldest: int
    followers: int
    pending: int
    mailbox: ActorStatistics
