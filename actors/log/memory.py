"""A log in memory: for tests, simulations and embedded clusters that need not survive."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import count
from typing import Self

from actors.log import _planning
from actors.log._tail import Tail
from actors.log.errors import Compacted, LogClosed
from actors.log.protocol import Append, Appended, Conflict, Entry, Payload, Record, Snapshot

_CHUNK = 1000


class MemoryLog:
    """An `EventLog` that lasts as long as the process. Appending does not suspend."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._data: list[Payload] = []  # deferred ones are encoded when they are first read
        self._first = 1
        self._last = 0
        self._heads: dict[str, int] | None = None  # built when somebody first expects something
        self._snapshot: tuple[int, list[Entry]] | None = None
        self._tail = Tail()
        self._closed = False

    @classmethod
    def holding(
        cls, first: int, records: Sequence[Record], entries: Iterable[tuple[str, int, bytes]] = ()
    ) -> Self:
        """Return a log that goes on from the records of another one.

        Args:
            first: The sequence of the first record, or of the next one where there is none.
            records: With contiguous sequences.
            entries: The state before ``first``; may be left out for 1.
        """
        log = cls()
        log._keys = [record.key for record in records]
        log._data = [record.data for record in records]
        log._first = first
        log._last = first - 1 + len(log._keys)
        if first > 1:
            log._snapshot = (first - 1, list(itertools.starmap(Entry, entries)))
        return log

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record, 0 before the first."""
        return self._last

    @property
    def first_sequence(self) -> int:
        """The first sequence in the history."""
        return self._first

    async def append(self, batch: Sequence[Append]) -> list[Appended | Conflict]:
        """Append the batch; see `EventLog.append`."""
        self._check_open()
        if self._heads is None and _planning.needs_heads(batch):
            self._heads = self._find_heads()
        plan = _planning.plan_appends(batch, self._last, self._heads or {})
        if plan.keys:
            if self._heads is not None:
                sequences = range(self._last + 1, self._last + 1 + len(plan.keys))
                self._heads.update(zip(plan.keys, sequences, strict=True))
            self._keys += plan.keys
            self._data += plan.data
            self._last += len(plan.keys)
            self._tail.wake()
        return plan.results

    async def read(
        self, after: int = 0, *, limit: int | None = None
    ) -> AsyncIterator[list[Record]]:
        """Yield the records after ``after`` in chunks; see `EventLog.read`."""
        remaining = sys.maxsize if limit is None else limit
        while True:
            self._check_open()
            if after < self._first - 1:
                raise Compacted(after, self._first)
            start = after - (self._first - 1)
            end = start + min(_CHUNK, remaining)
            keys, data = self._keys[start:end], list(map(bytes, self._data[start:end]))
            if not keys:
                return
            self._data[start:end] = data
            yield list(map(Record, count(after + 1), keys, data))
            after += len(keys)
            remaining -= len(keys)

    async def subscribe(self, after: int) -> AsyncIterator[list[Record]]:
        """Yield the records after ``after``, then every later one; see `EventLog.subscribe`."""
        with contextlib.suppress(LogClosed):
            while not self._closed:
                if after >= self._last:
                    await self._tail.wait_growth()
                    continue
                async for chunk in self.read(after):
                    yield chunk
                    after = chunk[-1].sequence

    async def snapshot(self, sequence: int, entries: Iterable[tuple[str, int, bytes]]) -> None:
        """Replace the snapshot; see `EventLog.snapshot`."""
        self._check_open()
        _planning.check_snapshot(sequence, self._last, self._snapshot and self._snapshot[0])
        self._snapshot = (sequence, list(itertools.starmap(Entry, entries)))
        self._heads = None

    async def load_snapshot(self) -> Snapshot | None:
        """Return the snapshot, or None; see `EventLog.load_snapshot`."""
        self._check_open()
        if self._snapshot is None:
            return None
        return Snapshot(self._snapshot[0], self._snapshot_chunks(self._snapshot))

    async def compact(self, before: int) -> None:
        """Remove the history before ``before``; see `EventLog.compact`."""
        self._check_open()
        if before <= self._first:
            return
        _planning.check_compaction(before, self._snapshot and self._snapshot[0])
        del self._keys[: before - self._first]
        del self._data[: before - self._first]
        self._first = before
        self._heads = None

    async def close(self) -> None:
        """End subscriptions and refuse further use. What was read stays valid."""
        self._closed = True
        self._tail.wake()

    async def _snapshot_chunks(
        self, snapshot: tuple[int, list[Entry]]
    ) -> AsyncIterator[list[Entry]]:
        sequence, entries = snapshot
        for start in range(0, len(entries), _CHUNK):
            if self._snapshot is not snapshot:
                raise Compacted(sequence, self._first)
            yield entries[start : start + _CHUNK]

    def _find_heads(self) -> dict[str, int]:
        heads = {entry.key: entry.sequence for entry in (self._snapshot or (0, ()))[1]}
        for sequence, key in enumerate(self._keys, self._first):
            heads[key] = max(heads.get(key, 0), sequence)
        return heads

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("this log is closed; open a new one")
