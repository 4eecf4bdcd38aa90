"""Watches: committed events as a stream of JSON lines, each object encoded once for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import orjson

from orchestrator.resources.errors import StatusError, expired
from orchestrator.resources.objects import Object, with_meta
from orchestrator.store.events import ObjectEvent
from orchestrator.store.following import Follower
from orchestrator.store.window import Expired

CHUNK_EVENTS: Final = 500
"""Events put into one send at most: a watcher that fell behind catches up in big steps, while no
single step holds the loop for long."""

BOOKMARK_EVERY: Final = 60.0
"""Seconds between bookmarks, upstream's interval."""

_OPEN: Final = {
    "ADDED": b'{"type":"ADDED","object":',
    "MODIFIED": b'{"type":"MODIFIED","object":',
    "DELETED": b'{"type":"DELETED","object":',
    "BOOKMARK": b'{"type":"BOOKMARK","object":',
    "ERROR": b'{"type":"ERROR","object":',
}
_CLOSE: Final = b"}\n"

Encoder = Callable[[Object], bytes]
"""From an object to the bytes of the shape the watcher asked for."""

Matches = Callable[[Object], bool]


class Waker:
    """One coroutine's sleep, ended by whoever calls `wake`."""

    __slots__ = ("_awake", "_loop", "_waiting")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[None] | None = None
        self._awake = False

    def wake(self) -> None:
        """End the sleep, or the next one when nobody sleeps."""
        self._awake = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def sleep(self, seconds: float) -> bool:
        """Sleep until woken; return False when the time was up first."""
        if self._awake:
            self._awake = False
            return True
        self._waiting = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._expire, self._waiting)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None
        woken, self._awake = self._awake, False
        return woken

    @staticmethod
    def _expire(waiting: asyncio.Future[None]) -> None:
        if not waiting.done():
            waiting.set_result(None)


def event_line(type_: str, data: bytes) -> bytes:
    """Frame one event."""
    return _OPEN[type_] + data + _CLOSE


def error_line(error: StatusError) -> bytes:
    """Frame an ERROR event, after which a watch ends."""
    return event_line("ERROR", orjson.dumps(error.status()))


def select_event(event: ObjectEvent, matches: Matches) -> tuple[str, Object | None] | None:
    """Decide what a selecting watcher sees of an event.

    Returns:
        The event's type, and the object where it is not the event's own; None for nothing.
    """
    previous = event.previous
    before = previous is not None and matches(previous)
    if event.type == "DELETED":
        return ("DELETED", None) if before or matches(event.object) else None
    now = matches(event.object)
    if now:
        return ("MODIFIED" if before else "ADDED"), None
    if before and previous is not None:
        return "DELETED", with_meta(previous, resourceVersion=str(event.sequence))
    return None


class Watch:
    """One watcher.

    The connection's own flow control holds this coroutine, not the store: while the client does
    not read, nothing is taken, and what moves out of the store's window meanwhile ends the watch
    with 410.
    """

    def __init__(
        self,
        *,
        follow: Callable[[Callable[[], None]], Follower],
        initial: Iterable[Object] = (),
        namespace: str | None = None,
        matches: Matches | None = None,
        encoder: Encoder | None = None,
        bookmark: Callable[[int, bool], bytes] | None = None,
        mark_initial: bool = False,
        timeout: float = 3600.0,
    ) -> None:
        """Describe a watch; nothing happens before `chunks` is iterated.

        Args:
            follow: Starts following, given what to call when there are events.
            initial: Objects sent first as ADDED.
            namespace: Only events of this namespace; None for all.
            matches: Selectors in one; None for all.
            encoder: Other shapes than the object itself.
            bookmark: Encodes a bookmark for a sequence; None when the watcher wants none. The
                flag tells that it ends the initial events.
            mark_initial: Send that bookmark.
            timeout: Seconds after which the watch ends.
        """
        self._follow = follow
        self._initial = initial
        self._namespace = namespace
        self._matches = matches
        self._encoder = encoder
        self._bookmark = bookmark
        self._mark_initial = mark_initial
        self._timeout = timeout

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield framed events, many in one piece when many are there."""
        waker = Waker()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        next_bookmark = loop.time() + BOOKMARK_EVERY
        follower = self._follow(waker.wake)
        try:
            for piece in self._initial_chunks(follower.sequence):
                yield piece
            while True:
                try:
                    events = follower.take(CHUNK_EVENTS)
                except Expired as error:
                    yield error_line(expired(str(error)))
                    return
                if events and (data := self._encode(events)):
                    yield data
                if len(events) == CHUNK_EVENTS:
                    continue
                now = loop.time()
                if now >= deadline:
                    break
                until = deadline
                if self._bookmark is not None:
                    if now >= next_bookmark:
                        next_bookmark = now + BOOKMARK_EVERY
                        yield event_line("BOOKMARK", self._bookmark(follower.sequence, False))
                    until = min(deadline, next_bookmark)
                await waker.sleep(until - now)
            if self._bookmark is not None:
                yield event_line("BOOKMARK", self._bookmark(follower.sequence, False))
        finally:
            follower.close()

    def _initial_chunks(self, sequence: int) -> Iterable[bytes]:
        encoder = self._encoder or orjson.dumps
        lines = []
        for obj in self._initial:
            lines.append(event_line("ADDED", encoder(obj)))
            if len(lines) == CHUNK_EVENTS:
                yield b"".join(lines)
                lines.clear()
        if self._mark_initial and self._bookmark is not None:
            lines.append(event_line("BOOKMARK", self._bookmark(sequence, True)))
        # An empty piece lets the client see that the watch has begun.
        yield b"".join(lines)

    def _encode(self, events: Iterable[ObjectEvent]) -> bytes:
        namespace, matches, encoder = self._namespace, self._matches, self._encoder
        lines = []
        for event in events:
            if namespace is not None and event.key.namespace != namespace:
                continue
            type_: str = event.type
            changed: Object | None = None
            if matches is not None:
                selected = select_event(event, matches)
                if selected is None:
                    continue
                type_, changed = selected
            if encoder is not None:
                data = encoder(event.object if changed is None else changed)
            elif changed is not None:
                data = orjson.dumps(changed)
            else:
                data = event.json()
            lines.append(event_line(type_, data))
        return b"".join(lines)


def bookmark_object(api_version: str, kind: str, sequence: int, initial: bool) -> dict[str, Any]:
    """Build a bookmark's object: nothing but the version up to which everything was sent."""
    metadata: dict[str, Any] = {"resourceVersion": str(sequence), "creationTimestamp": None}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata}
