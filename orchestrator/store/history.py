"""The whole past as far as it is kept: any state of any object, and who made it what it became.

The window (`orchestrator.store.window`) is what watchers may ask for, some minutes. This is for
people and tests that look back: by default nothing is kept for them. Objects are frozen and share
what did not change, so a revision costs what changed in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Final

from orchestrator.resources.objects import Key, Object
from orchestrator.store.events import ObjectEvent

_SEQUENCE = attrgetter("sequence")
_KEPT_AFTER_TRIM: Final = 0.875
"""Of the limit; so that trimming costs little per batch."""

Lines = dict[Key, list[ObjectEvent]]


class VersionError(LookupError):
    """A version that is not there: still to come, or no longer held. The text says which are."""

    __module__ = "orchestrator"  # where users import it from, and what reports show


class History:
    """Committed events from a version on, and the state at that version.

    Attributes:
        floor: The lowest version whose state is known.
        last: The highest one.
    """

    def __init__(self, limit: int | None = None) -> None:
        """Begin empty.

        Args:
            limit: Bytes of log payload to keep; a revision takes some ten times as many in memory.
                None keeps everything.
        """
        self.floor = self.last = 0
        self._limit = limit
        self._size = 0
        self._base: dict[str, dict[Key, Object]] = {}
        self._events: list[ObjectEvent] = []
        self._batches: deque[tuple[int, int]] = deque()  # count, size
        self._lines: dict[str, Lines] = {}
        self._indexed = 0

    def __len__(self) -> int:
        return len(self._events)

    def begin(self, sequence: int, objects: Mapping[tuple[str, str, str], Object]) -> None:
        """Begin anew behind a snapshot: nothing before ``sequence`` is known."""
        self.floor = self.last = sequence
        self._base = {}
        for key, obj in objects.items():
            self._base.setdefault(key[0], {})[Key(*key)] = obj
        self._events = []
        self._batches.clear()
        self._lines, self._indexed, self._size = {}, 0, 0

    def add(self, events: Sequence[ObjectEvent], size: int) -> None:
        """Take a committed batch in; forget the oldest where that makes too much."""
        self._events += events
        self.last = events[-1].sequence
        if self._limit is not None:
            self._batches.append((len(events), size))
            self._size += size
            if self._size > self._limit:
                self._trim(self._limit * _KEPT_AFTER_TRIM)

    def _trim(self, wanted: float) -> None:
        count = 0
        while self._size > wanted and len(self._batches) > 1:
            events, size = self._batches.popleft()
            count += events
            self._size -= size
        for event in self._events[:count]:
            table = self._base.setdefault(event.key[0], {})
            if event.type == "DELETED":
                table.pop(event.key, None)
            else:
                table[event.key] = event.object
        if count:
            self.floor = self._events[count - 1].sequence
            del self._events[:count]
            self._lines, self._indexed = {}, 0

    def check(self, version: int) -> None:
        """Raise unless the state at a version is known.

        Raises:
            VersionError: It is not.
        """
        held = f"versions {self.floor} to {self.last} are held"
        if version > self.last:
            raise VersionError(f"version {version} is beyond the last one: {held}")
        if version < self.floor:
            raise VersionError(f"version {version} is no longer there: {held}")

    def get(self, key: Key, version: int) -> Object | None:
        """Return an object as it was at a version, None where there was none."""
        line = self._table(key[0]).get(key)
        if line is not None:
            at = bisect_right(line, version, key=_SEQUENCE)
            if at:
                event = line[at - 1]
                return None if event.type == "DELETED" else event.object
        return self._base.get(key[0], {}).get(key)

    def keys(self, resource: str) -> set[Key]:
        """Return the keys of all objects of a resource that were there at any version held."""
        return {*self._table(resource), *self._base.get(resource, ())}

    def resources(self) -> set[str]:
        """Return the resources that had objects at any version held."""
        self._index()
        return {*self._lines, *self._base}

    def state(self, version: int) -> dict[Key, Object]:
        """Return all objects as they were at a version, those that were there first at first."""
        objects = {key: obj for table in self._base.values() for key, obj in table.items()}
        for event in self.between(self.floor, version):
            if event.type == "DELETED":
                objects.pop(event.key, None)
            else:
                objects[event.key] = event.object
        return objects

    def between(self, after: int, version: int) -> Iterator[ObjectEvent]:
        """Yield the events after one version up to another, in log order."""
        begin = bisect_right(self._events, after, key=_SEQUENCE)
        end = bisect_right(self._events, version, key=_SEQUENCE)
        return (self._events[at] for at in range(begin, end))

    def line(self, key: Key) -> Sequence[ObjectEvent]:
        """Return the events of one object, and of others that had its name before it."""
        return self._table(key[0]).get(key, ())

    def base(self, key: Key) -> Object | None:
        """Return an object as it was at the lowest version held."""
        return self._base.get(key[0], {}).get(key)

    def time(self, version: int) -> float | None:
        """Return when a version came about, in seconds since the epoch; None: not known."""
        at = bisect_right(self._events, version, key=_SEQUENCE)
        return self._events[at - 1].stamp.time or None if at else None

    def _table(self, resource: str) -> Lines:
        self._index()
        return self._lines.get(resource, {})

    def _index(self) -> None:
        """Bring the lines up to date; only now, so that what nobody asks for costs nothing."""
        lines, events = self._lines, self._events
        for at in range(self._indexed, len(events)):
            event = events[at]
            table = lines.get(event.key[0])
            if table is None:
                table = lines[event.key[0]] = {}
            table.setdefault(event.key, []).append(event)
        self._indexed = len(events)
