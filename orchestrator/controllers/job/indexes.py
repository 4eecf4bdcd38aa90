"""Sets of completion indexes as the API writes them: ``1,3-5,7``. Pure.

Source of the format: ``status.completedIndexes`` in the Job API. Work is in the number of
intervals, not of indexes: a Job may have 100,000 of those.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple


class Interval(NamedTuple):
    """Indexes that follow one another, both ends included."""

    first: int
    last: int


class Indexes:
    """An immutable set of indexes, kept as intervals in order."""

    __slots__ = ("_lasts", "intervals")

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        """Take intervals that are in order and apart."""
        self.intervals = tuple(intervals)
        self._lasts = [interval.last for interval in self.intervals]

    @classmethod
    def of(cls, indexes: Iterable[int]) -> Indexes:
        """Return the set of some indexes, in whatever order."""
        return cls(_joined(Interval(index, index) for index in sorted(indexes)))

    @classmethod
    def parse(cls, text: str, completions: int) -> Indexes:
        """Read the API's form; what is no interval, or beyond ``completions``, is left out."""
        found: list[Interval] = []
        for part in text.split(",") if text else ():
            first, _, last = part.partition("-")
            try:
                begin = int(first)
                end = int(last) if last else begin
            except ValueError:
                continue
            if begin >= completions:
                break
            found.append(Interval(begin, min(end, completions - 1)))
        return cls(_joined(found))

    def __str__(self) -> str:
        return ",".join(_text(interval) for interval in self.intervals)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.intervals)

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __contains__(self, index: object) -> bool:
        if not isinstance(index, int):
            return False
        at = bisect_left(self._lasts, index)
        return at < len(self.intervals) and self.intervals[at].first <= index

    def __or__(self, other: Indexes) -> Indexes:
        if not other:
            return self
        if not self:
            return other
        return Indexes(_joined(sorted((*self.intervals, *other.intervals))))

    def common(self, other: Indexes) -> int:
        """Return how many indexes are in both."""
        count = mine = theirs = 0
        while mine < len(self.intervals) and theirs < len(other.intervals):
            left, right = self.intervals[mine], other.intervals[theirs]
            count += max(0, min(left.last, right.last) - max(left.first, right.first) + 1)
            if left.last <= right.last:
                mine += 1
            if right.last <= left.last:
                theirs += 1
        return count

    def first_missing(self, count: int, completions: int) -> list[int]:
        """Return the ``count`` lowest indexes below ``completions`` that are not in the set."""
        found: list[int] = []
        at = 0
        for first, last in (*self.intervals, Interval(completions, completions)):
            found += range(at, min(first, completions, at + count - len(found)))
            at = last + 1
            if len(found) >= count or at >= completions:
                break
        return found


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Join intervals that touch or overlap; they come by their first index."""
    joined: list[Interval] = []
    for interval in intervals:
        if joined and interval.first <= joined[-1].last + 1:
            if interval.last > joined[-1].last:
                joined[-1] = Interval(joined[-1].first, interval.last)
        else:
            joined.append(interval)
    return joined


def _text(interval: Interval) -> str:
    first, last = interval
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"
