"""The recent past: committed events in log order, kept for a bounded time, count and size."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Sequence
from operator import attrgetter

from orchestrator.records import dataclass
from orchestrator.store.events import ObjectEvent

_SEQUENCE = attrgetter("sequence")
_TRIM = 1024


class Expired(Exception):  # noqa: N818 - it says what happened
    """A reader's place lies before what is kept: it has to list again (HTTP watchers get 410).

    Attributes:
        asked: The sequence after which events were wanted.
        oldest: The lowest sequence that could have been asked for.
    """

    def __init__(self, asked: int, oldest: int) -> None:
        # Upstream's words.
        super().__init__(f"too old resource version: {asked} ({oldest})")
        self.asked = asked
        self.oldest = oldest


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLimits:
    """How much of the past is kept; whichever limit is met first holds.

    Attributes:
        seconds: Age; five minutes, as etcd's compaction by the API server has it.
        events: Count over all resources.
        size: Bytes of log payload over all resources, a measure of what they hold in memory.
    """

    seconds: float = 300.0
    events: int = 150_000
    size: int = 128 * 1024 * 1024


class Channel:
    """The kept events of one resource.

    Places are absolute: the first event ever has place 0, whatever has been trimmed since. A
    reader that remembers a place reads on in constant time.

    Attributes:
        lost: The highest sequence that is no longer here; reading after a lower one is Expired.
        trimmed: The place of the first event that is kept.
    """

    __slots__ = ("events", "lost", "trimmed")

    def __init__(self, lost: int) -> None:
        self.events: list[ObjectEvent] = []
        self.lost = lost
        self.trimmed = 0

    @property
    def end(self) -> int:
        """The place behind the last event."""
        return self.trimmed + len(self.events)

    def place_after(self, sequence: int) -> int:
        """Return the place of the first event after ``sequence``.

        Raises:
            Expired: An event after ``sequence`` is no longer here.
        """
        if sequence < self.lost:
            raise Expired(sequence, self.lost)
        return self.place_behind(sequence)

    def place_behind(self, sequence: int) -> int:
        """Return the same for a reader who has its place, whatever others may begin at."""
        return self.trimmed + bisect_right(self.events, sequence, key=_SEQUENCE)

    def read(self, place: int, limit: int | None = None) -> Sequence[ObjectEvent]:
        """Return events from ``place`` on; the place must not be before `trimmed`."""
        begin = place - self.trimmed
        return self.events[begin : None if limit is None else begin + limit]

    def trim(self, floor: int) -> None:
        """Forget events up to sequence ``floor``."""
        count = bisect_right(self.events, floor, key=_SEQUENCE)
        if count:
            self.lost = max(self.lost, self.events[count - 1].sequence)
            del self.events[:count]
            self.trimmed += count


class Window:
    """All channels, and the bounds on them together."""

    def __init__(self, start: int, limits: WindowLimits | None = None) -> None:
        """Start with nothing kept.

        Args:
            start: The sequence up to which the past is unknown.
            limits: How much to keep.
        """
        self.floor = start
        self._limits = limits or WindowLimits()
        self._start = start
        self._channels: dict[str, Channel] = {}
        self._batches: deque[tuple[float, int, int, int]] = deque()  # time, last, count, size
        self._events = 0
        self._size = 0

    def __len__(self) -> int:
        return sum(len(channel.events) for channel in self._channels.values())

    def channel(self, resource: str) -> Channel:
        """Return the channel of a resource; it is made when first asked for."""
        channel = self._channels.get(resource)
        if channel is None:
            channel = self._channels[resource] = Channel(self._start)
        return channel

    def restart(self, start: int) -> None:
        """Begin anew behind a snapshot: nothing before ``start`` is known."""
        self.floor = self._start = start
        self._channels.clear()
        self._batches.clear()
        self._events = self._size = 0

    def expire(self, sequence: int) -> None:
        """Let nobody begin before ``sequence`` from now on: the past became another one there.

        Events stay for those who have their place already.
        """
        self.floor = self._start = sequence
        for channel in self._channels.values():
            channel.lost = sequence

    def add(self, events: Sequence[ObjectEvent], size: int, now: float) -> Collection[str]:
        """Take a committed batch in, trim what is over the limits, return its resources.

        In the order of their first events: who is told first must not depend on a hash.
        """
        touched: dict[str, None] = {}
        last = ""
        for event in events:
            resource = event.key[0]
            if resource is not last:  # events of one kind come one after another
                last = resource
                touched[resource] = None
                append = self.channel(resource).events.append
            append(event)
        self._batches.append((now, events[-1].sequence, len(events), size))
        self._events += len(events)
        self._size += size
        self.trim(now)
        return touched

    def trim(self, now: float) -> None:
        """Forget what is over the limits; done in steps, so that it costs little per batch."""
        limits, batches = self._limits, self._batches
        floor = self.floor
        trimmed = 0
        while batches and (
            batches[0][0] < now - limits.seconds
            or self._events > limits.events
            or (self._size > limits.size and len(batches) > 1)
        ):
            _, floor, count, size = batches.popleft()
            self._events -= count
            self._size -= size
            trimmed += count
        if trimmed:
            self.floor = max(self.floor, floor)
            for channel in self._channels.values():
                channel.trim(floor)
