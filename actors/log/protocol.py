"""The event log: an append-only sequence of records, each under a key.

One protocol, several implementations; all of them pass the suite in ``tests/log``. The log knows
nothing of what it carries: ``data`` is the writer's, and empty data is as good as any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias


class Deferred(Protocol):
    """A payload that is encoded when somebody reads it: a log in memory may never be read.

    ``bytes()`` of it must come to the same whenever it is asked for.
    """

    def __bytes__(self) -> bytes:
        """Encode it."""

    def __len__(self) -> int:
        """Return about how many bytes that will be."""


Payload: TypeAlias = bytes | Deferred


class Append(NamedTuple):
    """One record to append.

    Attributes:
        key: What the record is about; any text.
        data: The payload. A log on disk encodes a deferred one at once.
        expected: The last sequence of ``key`` the writer has seen: the append conflicts when
            another one came after it. 0: the key has no record yet. None: append in any case.
    """

    key: str
    data: Payload
    expected: int | None = None


class Appended(NamedTuple):
    """The record is durable under ``sequence``."""

    sequence: int


class Conflict(NamedTuple):
    """The record was not written: the key's last sequence is ``actual``, not the expected one."""

    key: str
    actual: int


class Record(NamedTuple):
    """One record as it stands in the log."""

    sequence: int
    key: str
    data: bytes


class Entry(NamedTuple):
    """One key in a snapshot: its state, and the sequence of the record it comes from."""

    key: str
    sequence: int
    data: bytes


class Snapshot(NamedTuple):
    """The state of all keys as of ``sequence``.

    Attributes:
        sequence: Records up to and including this one are contained in the entries.
        chunks: The entries, in the order they were given, some at a time; can be run through once.
    """

    sequence: int
    chunks: AsyncIterator[list[Entry]]


class EventLog(Protocol):
    """A durable sequence of records with one writing process.

    Sequences start at 1, grow by 1 with every record and never go down, whatever is compacted.
    The **head** of a key is the sequence of its last record, in the history or in the snapshot;
    it is 0 for a key that neither of them has.
    """

    @property
    def last_sequence(self) -> int:
        """The sequence of the last durable record, 0 before the first."""

    @property
    def first_sequence(self) -> int:
        """The first sequence in the history: 1 until something is compacted.

        One more than `last_sequence` when all of the history is compacted.
        """

    async def append(self, batch: Sequence[Append]) -> list[Appended | Conflict]:
        """Append the batch and return one result per item, in order, once all is durable.

        The records that do not conflict get contiguous sequences in batch order, and a later item
        sees the earlier ones of its batch. They become durable together or not at all. Concurrent
        callers share a commit; their batches are in the log in the order of their calls.

        A caller that is cancelled while waiting does not learn the outcome: the batch may be in
        the log.

        Raises:
            LogFull: The disk is full; nothing was written, the log remains usable.
            LogLocked: Another program held the file for too long; as above.
            LogFailed: The disk failed; the outcome is unknown and the log takes no more appends.
            LogClosed: The log is closed.
        """

    def read(self, after: int = 0, *, limit: int | None = None) -> AsyncIterator[list[Record]]:
        """Yield the records with a greater sequence than ``after``, in order, in chunks.

        Ends with what was durable when the reading got there; ``limit`` bounds the number of
        records in all. No lock is held between chunks.

        Raises:
            Compacted: Some record after ``after`` is no longer in the history.
            LogCorrupt: A record cannot be read as it was written.
        """

    def subscribe(self, after: int) -> AsyncIterator[list[Record]]:
        """Yield what `read` yields and then every later record, without end.

        Ends when the log is closed. A subscriber reads at its own pace and never delays a writer;
        one that is slower than compaction gets `Compacted`.
        """

    async def snapshot(self, sequence: int, entries: Iterable[tuple[str, int, bytes]]) -> None:
        """Replace the snapshot by ``entries``: the state of every key as of ``sequence``.

        Each entry is ``(key, sequence of its last record, data)``. The new snapshot takes the
        place of the old at once when all is written, or not at all. ``entries`` is consumed a
        chunk at a time while appends go on: hand over something that does not change meanwhile.

        Raises:
            ValueError: ``sequence`` is in the future, or older than the present snapshot.
        """

    async def load_snapshot(self) -> Snapshot | None:
        """Return the snapshot, or None when none was taken.

        Running through its chunks raises `Compacted` when a newer snapshot replaces it meanwhile.
        """

    async def compact(self, before: int) -> None:
        """Remove the history before sequence ``before``; `first_sequence` becomes ``before``.

        Takes effect at once. Does nothing when that much is compacted already.

        Raises:
            ValueError: The snapshot does not cover the records that would be lost.
        """

    async def close(self) -> None:
        """Finish the appends under way and release the log. Closing twice does nothing."""
