"""Followers: cursors into the window that are told when there is something to read.

Publication never waits for a reader. A follower is notified once, and not again until it has
taken; one that stays away while the window moves on finds `Expired` and lists again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from operator import attrgetter

from actors import get_logger
from orchestrator.store.events import ObjectEvent
from orchestrator.store.window import Channel, Expired, Window

logger = get_logger("orchestrator.store")
_SEQUENCE = attrgetter("sequence")


def _first(events: Sequence[ObjectEvent]) -> int:
    return events[0].sequence


def _in_order(runs: list[Sequence[ObjectEvent]]) -> list[ObjectEvent]:
    """Return events in log order, of runs that are each in order and not empty."""
    if len(runs) == 1:
        return list(runs[0])
    runs.sort(key=_first)
    events = [event for run in runs for event in run]
    if any(before[-1].sequence > run[0].sequence for before, run in pairwise(runs)):
        events.sort(key=_SEQUENCE)
    return events


class Follower:
    """One reader's place in the events of some resources.

    Attributes:
        sequence: Everything up to here has been taken.
        relists: Whether it has to list again when earlier states are put back, as clients have to:
            a version of theirs may be of a state that never was. The cluster's own parts take what
            is put back as changes.
    """

    def __init__(
        self,
        followers: Followers,
        resources: Iterable[str],
        notify: Callable[[], None],
        after: int,
        *,
        relists: bool = False,
    ) -> None:
        self.sequence = after
        self.relists = relists
        self.resources = tuple(dict.fromkeys(resources))
        self._followers = followers
        self._notify = notify
        self._notified = False
        self._places: dict[str, tuple[Channel, int]] = {}
        self._behind: dict[str, None] = {}
        """What there is more of; nothing else is looked at, however much is followed."""
        self._begin(after)

    def _begin(self, after: int) -> None:
        self._behind.clear()
        for resource in self.resources:
            channel = self._followers.window.channel(resource)
            place = channel.place_after(after)
            self._places[resource] = (channel, place)
            if place < channel.end:
                self._behind[resource] = None

    def take(self, limit: int | None = None) -> list[ObjectEvent]:
        """Return the events since the last call, in log order; empty when there are none.

        Args:
            limit: At most so many; what is left over is notified again at once.

        Raises:
            Expired: The window has moved past this follower. List again, and follow from the
                store's sequence with a new follower (or `restart` this one).
        """
        self._notified = False
        if self.relists and self.sequence < self._followers.rewound:
            raise Expired(self.sequence, self._followers.rewound)
        runs: list[Sequence[ObjectEvent]] = []
        for resource in self._behind:
            channel, place = self._places[resource]
            if place < channel.trimmed:
                raise Expired(self.sequence, channel.lost)
            if run := channel.read(place, limit):
                runs.append(run)
        taken = _in_order(runs)
        if limit is None or len(taken) < limit:
            for resource in self._behind:
                channel, _ = self._places[resource]
                self._places[resource] = (channel, channel.end)
            self._behind.clear()
            self.sequence = self._followers.sequence
            return taken
        del taken[limit:]
        self.sequence = taken[-1].sequence
        for resource in tuple(self._behind):
            channel, place = self._places[resource]
            place = max(place, channel.place_behind(self.sequence))
            self._places[resource] = (channel, place)
            if place == channel.end:
                del self._behind[resource]
        if self._behind:
            self.wake()
        return taken

    def include(self, resources: Iterable[str]) -> None:
        """Follow further resources too, from the present on."""
        added = tuple(name for name in dict.fromkeys(resources) if name not in self.resources)
        for resource in added:
            channel = self._followers.window.channel(resource)
            self._places[resource] = (channel, channel.end)
        self.resources += added
        self._followers.enlist(self, added)

    def restart(self, after: int) -> None:
        """Go on from another sequence, after a new list for example."""
        self._begin(after)
        self.sequence = after
        self._notified = False
        if self._behind:
            self.wake()

    def tell(self, resource: str) -> None:
        """Take note that there is more of a resource, and notify the owner."""
        self._behind[resource] = None
        self.wake()

    def wake(self) -> None:
        """Notify the owner, unless it has been since it last took.

        An owner that fails to take the notice (its mailbox is full, say) fails alone: it is
        notified again at the next publication.
        """
        if not self._notified:
            self._notified = True
            try:
                self._notify()
            except Exception:
                self._notified = False
                logger.exception("a follower could not be notified", resources=self.resources)

    def close(self) -> None:
        """Stop being notified; closing twice is harmless."""
        self._followers.remove(self)


class Followers:
    """Everyone who follows, by resource."""

    def __init__(self, window: Window, sequence: int) -> None:
        self.window = window
        self.sequence = sequence
        self.rewound = 0
        self._by_resource: dict[str, dict[int, Follower]] = {}
        self._count = 0
        self._waiting: dict[int, Callable[[], None]] = {}

    def __len__(self) -> int:
        return self._count

    def add(
        self,
        resources: Iterable[str],
        notify: Callable[[], None],
        after: int,
        *,
        relists: bool = False,
    ) -> Follower:
        """Start following; see `orchestrator.store.reading.Reads.follow`.

        Raises:
            Expired: ``after`` lies before the window.
        """
        follower = Follower(self, resources, notify, after, relists=relists)
        self.enlist(follower, follower.resources)
        self._count += 1
        if after < self.sequence:
            follower.wake()
        return follower

    def enlist(self, follower: Follower, resources: Iterable[str]) -> None:
        """Wake a follower for these resources too."""
        for resource in resources:
            self._by_resource.setdefault(resource, {})[id(follower)] = follower

    def remove(self, follower: Follower) -> None:
        """Forget a follower."""
        found = False
        for resource in follower.resources:
            followers = self._by_resource.get(resource)
            if followers is None:
                continue
            found = followers.pop(id(follower), None) is not None or found
            if not followers:
                del self._by_resource[resource]
        self._count -= found

    def expire(self, sequence: int) -> None:
        """Have those who list again do so: earlier states were put back up to ``sequence``."""
        self.rewound = sequence
        for followers in tuple(self._by_resource.values()):
            for follower in tuple(followers.values()):
                if follower.relists:
                    follower.wake()

    def await_any(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` at every publication, of whatever, until `stop_waiting`."""
        self._waiting[id(wake)] = wake

    def stop_waiting(self, wake: Callable[[], None]) -> None:
        """End what `await_any` began, with the same object."""
        self._waiting.pop(id(wake), None)

    def publish(self, resources: Iterable[str], sequence: int) -> None:
        """Wake the followers of these resources; the window holds everything to ``sequence``."""
        self.sequence = sequence
        for resource in resources:
            followers = self._by_resource.get(resource)
            if followers:
                for follower in tuple(followers.values()):
                    follower.tell(resource)
        for wake in tuple(self._waiting.values()):
            wake()
