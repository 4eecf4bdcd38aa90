"""Sets of ordinals in order, of which the first or the last is found without a walk. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator


class Ordinals:
    """Distinct whole numbers in ascending order.

    A sorted list: moving its items costs less than anything cleverer up to some 100,000 of them.
    """

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: list[int] = []

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    def __reversed__(self) -> Iterator[int]:
        return reversed(self._items)

    def add(self, ordinal: int) -> None:
        """Put in a number, unless it is there."""
        items = self._items
        if not items or ordinal > items[-1]:
            items.append(ordinal)
            return
        at = bisect_left(items, ordinal)
        if items[at] != ordinal:
            items.insert(at, ordinal)

    def discard(self, ordinal: int) -> None:
        """Take out a number, if it is there."""
        items = self._items
        at = bisect_left(items, ordinal)
        if at < len(items) and items[at] == ordinal:
            del items[at]

    def down_from(self, end: int, first: int) -> Iterator[int]:
        """Return the numbers below ``end`` and not below ``first``, the highest first."""
        items = self._items
        for at in range(bisect_left(items, end) - 1, -1, -1):
            if items[at] < first:
                return
            yield items[at]

    def gaps(self, start: int, end: int) -> Iterator[int]:
        """Return the numbers from ``start`` up to ``end`` that are not here, the lowest first.

        Runs of numbers that are here are jumped over.

        Args:
            start: Not above any number that is here.
            end: Above every number that is here.
        """
        items = self._items
        at, number = 0, start
        while number < end:
            here = self._run_from(at, number)
            at, number = at + here, number + here
            upto = items[at] if at < len(items) else end
            yield from range(number, upto)
            number = upto

    def _run_from(self, at: int, number: int) -> int:
        """Return how many numbers in a row are here, ``number`` being due at a position."""
        items = self._items
        low, high = 0, len(items) - at
        while low < high:
            middle = (low + high) // 2
            if items[at + middle] == number + middle:
                low = middle + 1
            else:
                high = middle
        return low
