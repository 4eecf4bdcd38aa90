"""Which claims wait for a volume, and which free volumes were pointed out to them. Pure data.

A claim takes the smallest volume that fits, so a volume which appears is *offered* to one claim
only: the first that it would do for. The claim decides; what it leaves is offered on. So ten
thousand volumes for ten thousand claims are ten thousand looks, and none of all by all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.controllers.volumes.facts import ClaimKey


class Offers:
    """The claims without a volume by class, and what they are about to take."""

    def __init__(self) -> None:
        self._classes: dict[ClaimKey, str] = {}
        self._waiting: dict[str, dict[ClaimKey, None]] = {}
        self._offered: dict[ClaimKey, dict[str, None]] = {}
        self._takers: dict[str, ClaimKey] = {}
        self._taken: dict[ClaimKey, str] = {}

    def wait(self, key: ClaimKey, storage_class: str) -> None:
        """Note a claim that has no volume."""
        if self._classes.get(key) != storage_class:
            self.leave(key)
            self._classes[key] = storage_class
            self._waiting.setdefault(storage_class, {})[key] = None

    def leave(self, key: ClaimKey) -> None:
        """Note that a claim has a volume, or is gone."""
        storage_class = self._classes.pop(key, None)
        if storage_class is not None:
            waiting = self._waiting[storage_class]
            del waiting[key]
            if not waiting:
                del self._waiting[storage_class]

    def of(self, storage_class: str) -> Iterable[ClaimKey]:
        """Return the waiting claims of a class, the one that waited longest first."""
        return list(self._waiting.get(storage_class, ()))

    def candidates(self, storage_class: str) -> Iterator[ClaimKey]:
        """Return the waiting claims of a class that are not about to take a volume."""
        for key in self._waiting.get(storage_class, ()):
            if key not in self._taken:
                yield key

    def offer(self, volume: str, key: ClaimKey) -> None:
        """Note that a claim was pointed to a volume."""
        self._offered.setdefault(key, {})[volume] = None

    def answer(self, key: ClaimKey) -> list[str]:
        """Return, and forget, the volumes that a claim was pointed to."""
        return list(self._offered.pop(key, ()))

    def take(self, volume: str, key: ClaimKey) -> None:
        """Keep a volume for a claim while that is being written."""
        self._takers[volume] = key
        self._taken[key] = volume

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
