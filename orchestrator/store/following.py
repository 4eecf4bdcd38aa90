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
        channels = [followers.window.channel(resource) for resource in self.resources]
        self._places: list[tuple[Channel, int]] = [
            (channel, channel.place_after(after)) for channel in channels
        ]

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
        if len(self._places) == 1:
            channel, place = self._places[0]
            if place < channel.trimmed:
                raise Expired(self.sequence, channel.lost)
            taken = list(channel.read(place, limit))
            self._places[0] = (channel, place + len(taken))
        else:
            taken = self._merge(limit)
        if limit is not None and len(taken) == limit:
            self.sequence = taken[-1].sequence
            if any(place < channel.end for channel, place in self._places):
                self.wake()
        else:
            self.sequence = self._followers.sequence
        return taken

    def _merge(self, limit: int | None) -> list[ObjectEvent]:
        runs: list[Sequence[ObjectEvent]] = []
        for channel, place in self._places:
            if place < channel.trimmed:
                raise Expired(self.sequence, channel.lost)
            if place < channel.end:
                runs.append(channel.read(place, limit))
        runs.sort(key=_first)
        taken = [event for run in runs for event in run]
        if any(before[-1].sequence > run[0].sequence for before, run in pairwise(runs)):
            taken.sort(key=_SEQUENCE)
        if limit is not None:
            del taken[limit:]
        if not taken:
            return taken
        if limit is None:
            self._places = [(channel, channel.end) for channel, _ in self._places]
        else:
            last = taken[-1].sequence
            self._places = [
                (channel, max(place, channel.place_behind(last))) for channel, place in self._places
            ]
        return taken

    def include(self, resources: Iterable[str]) -> None:
        """Follow further resources too, from the present on."""
        added = tuple(name for name in dict.fromkeys(resources) if name not in self.resources)
        channels = [self._followers.window.channel(resource) for resource in added]
        self._places += [(channel, channel.end) for channel in channels]
        self.resources += added
        self._followers.enlist(self, added)

    def restart(self, after: int) -> None:
        """Go on from another sequence, after a new list for example."""
        self._places = [(channel, channel.place_after(after)) for channel, _ in self._places]
        self.sequence = after
        self._notified = False
        if any(place < channel.end for channel, place in self._places):
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
                    follower.wake()
        for wake in tuple(self._waiting.values()):
            wake()
