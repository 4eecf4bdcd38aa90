"""The queue of dirty keys: deduplicated, never handing out a key that is still being worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BASE_DELAY: Final = 0.005
"""Seconds before the first retry of a key; client-go's ItemExponentialFailureRateLimiter."""

MAX_DELAY: Final = 1000.0
"""Seconds; the most that a key which keeps failing waits. Same source."""

_SLACK: Final = 64
"""Timers that count no longer which may always stay in the heap; beyond that, one for each live."""


class WorkQueue(Generic[K]):
    """Keys to reconcile, in the order in which they became dirty.

    A key is in one of three states: clean, waiting, in work. Marking a key that is in work makes
    it wait again once it is done. Holds no key twice, so its length is bounded by the number of
    objects. Time is handed in; nothing here reads a clock.
    """

    def __init__(self) -> None:
        self._waiting: deque[K] = deque()
        self._queued: set[K] = set()
        self._working: dict[K, bool] = {}  # key -> marked again while in work
        self._failures: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def in_work(self) -> int:
        """How many keys were taken and not finished."""
        return len(self._working)

    def mark(self, key: K) -> None:
        """Make a key wait; free when it already does."""
        if key in self._queued:
            return
        if key in self._working:
            self._working[key] = True
            return
        self._queued.add(key)
        self._waiting.append(key)

    def take(self) -> K:
        """Return the key that waited longest and hold it until `finish`.

        Raises:
            IndexError: Nothing waits.
        """
        key = self._waiting.popleft()
        self._queued.discard(key)
        self._working[key] = False
        return key

    def finish(self, key: K) -> None:
        """Let go of a key; it waits again if it was marked meanwhile."""
        if self._working.pop(key, False):
            self.mark(key)

    def failed(self, key: K, now: float) -> float:
        """Let go of a key and have it wait again after a back-off; return that delay in seconds.

        The delay doubles with each failure in a row, from `BASE_DELAY` to `MAX_DELAY`. Something
        that happens to the object meanwhile does not wait for it.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(BASE_DELAY * 2.0 ** min(failures, 60), MAX_DELAY)
        self.after(key, now + delay)
        self.finish(key)
        return delay

    def forget(self, key: K) -> None:
        """Reset a key's failures after it succeeded."""
        self._failures.pop(key, None)

    def after(self, key: K, due: float) -> None:
        """Mark a key at the moment ``due``; the earliest of several wins."""
        present = self._due.get(key)
        if present is not None and present <= due:
            return
        self._due[key] = due
        heappush(self._timers, (due, next(self._order), key))
        self._sweep()

    def hasten(self, key: Hashable) -> None:
        """Mark a key now if it has a timer, which ends: its object is gone.

        The look finds out that nothing is to be waited for. Left to itself the timer would hold
        the key for as long as a time to live or a schedule says, which may be years.

        Args:
            key: Any value; one that is no key of this queue has no timer.
        """
        if key in self._due:
            known: K = key
            del self._due[known]
            self.mark(known)
            self._sweep()

    def next_due(self) -> float | None:
        """Return the moment at which `mark_due` has something to do, or None."""
        while self._timers and self._due.get(self._timers[0][2]) != self._timers[0][0]:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def mark_due(self, now: float) -> None:
        """Mark every key whose moment has come."""
        while (due := self.next_due()) is not None and due <= now:
            _, _, key = heappop(self._timers)
            del self._due[key]
            self.mark(key)

    @property
    def timers(self) -> int:
        """How many timers are held, those included that count no longer."""
        return len(self._timers)

    def _sweep(self) -> None:
        """Throw out timers that count no longer once they are the most; costs O(1) for each."""
        if len(self._timers) > 2 * len(self._due) + _SLACK:
            due = self._due
            self._timers = [timer for timer in self._timers if due.get(timer[2]) == timer[0]]
            heapify(self._timers)
