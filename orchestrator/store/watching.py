"""Watches: the events of one resource, seen through selectors, from a version on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from actors import Clock
from orchestrator.resources.errors import StatusError, expired
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, with_meta
from orchestrator.store.events import ObjectEvent, WatchEvent
from orchestrator.store.following import Follower
from orchestrator.store.window import Expired

Matches = Callable[[Object], bool]

BOOKMARK_SECONDS = 60.0
"""Upstream's: about once a minute."""
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
_TAKE = 500


def select_event(
    event: ObjectEvent, namespace: str | None, matches: Matches | None
) -> WatchEvent | None:
    """Return what a watcher with this selection sees of an event, or None when it sees nothing.

    An object that comes to match is ADDED, one that stops matching is DELETED with its last
    matching state at the event's version.
    """
    if namespace is not None and event.key[1] != namespace:
        return None
    if matches is None:
        return WatchEvent(event.type, event.object, event)
    previous = event.previous
    before = previous is not None and matches(previous)
    if event.type == "DELETED":
        return WatchEvent("DELETED", event.object, event) if before else None
    if matches(event.object):
        return WatchEvent("MODIFIED" if before else "ADDED", event.object, event)
    if not before or previous is None:
        return None
    return WatchEvent("DELETED", with_meta(previous, resourceVersion=str(event.sequence)))


def bookmark(kind: Kind, sequence: int, *, initial_end: bool = False) -> WatchEvent:
    """Return the event that tells a watcher how far it has come."""
    metadata: dict[str, Any] = {"resourceVersion": str(sequence), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return WatchEvent(
        "BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    )


def error_event(error: StatusError) -> WatchEvent:
    """Return the event that ends a watch with a Status."""
    return WatchEvent("ERROR", error.status())


class Watch(AsyncIterator[WatchEvent]):
    """One watcher: a cursor in the window, nothing else; slow ones cost nothing but their place.

    Iterate over it, or take what there is with `batch`. Ends after ``timeout`` seconds, or after
    an ERROR event when it fell out of the window. Leave it with `close`.
    """

    def __init__(
        self,
        clock: Clock,
        kind: Kind,
        follow: Callable[[Callable[[], None]], Follower],
        *,
        initial: list[Object],
        initial_end: bool,
        namespace: str | None,
        matches: Matches | None,
        after: int,
        bookmarks: bool,
        timeout: float | None,
    ) -> None:
        """Begin; see `orchestrator.store.Store.watch`."""
        self._clock = clock
        self._kind = kind
        self._namespace = namespace
        self._matches = matches
        self._after = after
        self._bookmarks = bookmarks
        self._woken = asyncio.Event()
        self._ready = [WatchEvent("ADDED", obj) for obj in initial]
        self._ready.reverse()
        self._follower: Follower | None = None
        try:
            self._follower = follow(self._woken.set)
        except Expired as error:
            self._ready = [error_event(expired(str(error)))]
        if initial_end and self._follower is not None:
            self._ready.insert(0, bookmark(kind, after, initial_end=True))
        now = clock.monotonic()
        self._deadline = None if timeout is None else now + timeout
        self._next_bookmark = now + BOOKMARK_SECONDS

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> WatchEvent:
        """Return the next event."""
        if not self._ready:
            batch = await self.batch()
            if not batch:
                raise StopAsyncIteration
            self._ready = batch[::-1]
        return self._ready.pop()

    async def batch(self) -> list[WatchEvent]:
        """Return the next events, at least one; an empty list when the watch has ended."""
        if self._ready:
            ready, self._ready = self._ready[::-1], []
            return ready
        while self._follower is not None:
            self._woken.clear()
            try:
                events = self._take(self._follower)
            except Expired as error:
                self.close()
                return [error_event(expired(str(error)))]
            if events:
                return events
            if self._due(self._deadline):
                self.close()
                break
            if self._bookmarks and self._due(self._next_bookmark):
                self._next_bookmark = self._clock.monotonic() + BOOKMARK_SECONDS
                return [bookmark(self._kind, max(self._follower.sequence, self._after))]
            await self._wait()
        return []

    def close(self) -> None:
        """End the watch; closing twice is harmless."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None
        self._woken.set()

    def _take(self, follower: Follower) -> list[WatchEvent]:
        found: list[WatchEvent] = []
        while not found:
            events = follower.take(_TAKE)
            for event in events:
                if event.sequence > self._after:
                    seen = select_event(event, self._namespace, self._matches)
                    if seen is not None:
                        found.append(seen)
            if len(events) < _TAKE:
                break
        return found

    def _due(self, when: float | None) -> bool:
        return when is not None and self._clock.monotonic() >= when

    async def _wait(self) -> None:
        ends = [self._deadline, self._next_bookmark if self._bookmarks else None]
        soonest = min((end for end in ends if end is not None), default=None)
        timer = None
        if soonest is not None:
            left = max(0.0, soonest - self._clock.monotonic())
            timer = self._clock.call_later(left, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            if timer is not None:
                timer.cancel()
