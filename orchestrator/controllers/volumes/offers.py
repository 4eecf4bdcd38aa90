"""Which claims wait for a volume, and which free volumes were pointed out to them. Pure data.

A claim takes the smallest volume that fits, so a volume which appears is *offered* to one claim
only: of those that it would do for, one that asks for most. The claim decides; what it leaves is
offered on. So ten thousand volumes for ten thousand claims are ten thousand looks, and none of all
by all.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.controllers.volumes.demands import Demand, Demands
from orchestrator.controllers.volumes.facts import ClaimKey
from orchestrator.resources.objects import Object


class Offers:
    """The claims without a volume by what they ask for, and what they are about to take.

    A claim that was pointed to a volume, or takes one, is *busy*: when it is looked at next, it
    looks through all free volumes if it has to, so that it need not be pointed to another.
    """

    def __init__(self) -> None:
        self._demands: dict[ClaimKey, Demand] = {}
        self._idle = Demands()
        self._busy = Demands()
        self._offered: dict[ClaimKey, dict[str, None]] = {}
        self._takers: dict[str, ClaimKey] = {}
        self._taken: dict[ClaimKey, str] = {}

    def wait(self, key: ClaimKey, demand: Demand) -> None:
        """Note a claim that has no volume."""
        if self._demands.get(key) != demand:
            self.leave(key)
            self._demands[key] = demand
            self._sort(key)

    def leave(self, key: ClaimKey) -> None:
        """Note that a claim has a volume, or is gone."""
        demand = self._demands.pop(key, None)
        if demand is not None:
            self._idle.discard(key, demand)
            self._busy.discard(key, demand)

    def of(self, storage_class: str) -> Iterable[ClaimKey]:
        """Return the waiting claims of a class."""
        return [*self._idle.of(storage_class), *self._busy.of(storage_class)]

    def candidates(self, volume: Object) -> Iterable[ClaimKey]:
        """Return the waiting claims that a volume would do for and that are not busy."""
        return self._idle.met_by(volume)

    def offer(self, volume: str, key: ClaimKey) -> None:
        """Note that a claim was pointed to a volume."""
        self._offered.setdefault(key, {})[volume] = None
        self._sort(key)

    def answer(self, key: ClaimKey) -> list[str]:
        """Return, and forget, the volumes that a claim was pointed to."""
        offered = list(self._offered.pop(key, ()))
        if offered:
            self._sort(key)
        return offered

    def take(self, volume: str, key: ClaimKey) -> None:
        """Keep a volume for a claim while that is being written."""
        self._takers[volume] = key
        self._taken[key] = volume
        self._sort(key)

    def is_taken(self, volume: str) -> bool:
        """Tell whether a volume is about to be somebody's."""
        return volume in self._takers

    def settle(self, key: ClaimKey) -> None:
        """Note that what a claim was about to take has been written, or refused."""
        volume = self._taken.pop(key, None)
        if volume is not None:
            self._offered.setdefault(key, {})[volume] = None  # to be offered on if it is still free
            if self._takers.get(volume) == key:
                del self._takers[volume]

    def _sort(self, key: ClaimKey) -> None:
        """Put a waiting claim among the idle or the busy ones."""
        demand = self._demands.get(key)
        if demand is None:
            return
        busy = key in self._taken or key in self._offered
        to, away = (self._busy, self._idle) if busy else (self._idle, self._busy)
        away.discard(key, demand)
        to.add(key, demand)
