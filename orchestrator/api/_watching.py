"""Watches: committed events as a stream, each object encoded once for all.

A watch begins alone: the initial objects, then what has happened since, at the pace at which its
connection takes it. Once it has caught up it joins those who watch the same
(`orchestrator.api._fanout`), where its task only sleeps; when its connection falls behind there, it
goes on alone from the place it had reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from orchestrator.api._events import Encoder, Memo, View, as_chunk, error_line, in_pieces
from orchestrator.api._fanout import Fanout, Hub, Member, Push
from orchestrator.resources.errors import expired
from orchestrator.resources.objects import Object
from orchestrator.store.events import ObjectEvent
from orchestrator.store.following import Follower
from orchestrator.store.window import Expired

CHUNK_EVENTS: Final = 500
"""Events taken at once at most: a watcher that fell behind catches up in big steps, while no single
step holds the loop for long."""

BOOKMARK_EVERY: Final = 60.0
"""Seconds between bookmarks, upstream's interval."""

_FIRST: Final = "first"
"""The shape of a watch's first object where that is written differently."""


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


class Watch:
    """One watcher.

    The connection's own flow control holds this coroutine, not the store: while the client does
    not read, nothing is taken, and what moves out of the store's window meanwhile ends the watch
    with 410.
    """

    def __init__(
        self,
        resource: str,
        view: View,
        *,
        follow: Callable[[Callable[[], None], int], Follower],
        after: int,
        initial: Iterable[Object] = (),
        fanout: Fanout | None = None,
        encode_initial: Encoder,
        encode_first: Encoder | None = None,
        bookmark: Callable[[int, bool], bytes] | None = None,
        mark_initial: bool = False,
        timeout: float = 3600.0,
    ) -> None:
        """Describe a watch; nothing happens before `chunks` is iterated.

        Args:
            resource: What is watched.
            view: What of it is seen, and how it is written.
            follow: Starts following, given what to call when there are events, and after what.
            after: Events after this sequence are sent.
            initial: Objects sent first as ADDED.
            fanout: Where it may join others.
            encode_initial: Encodes the initial objects.
            encode_first: Encodes the very first object; None where that is as all others.
            bookmark: Encodes a bookmark for a sequence; None when the watcher wants none. The
                flag tells that it ends the initial events.
            mark_initial: Send that bookmark.
            timeout: Seconds after which the watch ends.
        """
        self._resource = resource
        self._view = view
        self._follow = follow
        self._after = after
        self._initial = initial
        self._fanout = fanout
        self._encode_initial = encode_initial
        self._encode_first = encode_first
        self._bookmark = bookmark
        self._mark_initial = mark_initial
        self._timeout = timeout
        self._push: Push | None = None

    def attach(self, push: Push) -> None:
        """Offer a way to write chunks to the connection without this watch's task."""
        self._push = push

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield framed events, many in one piece when many are there."""
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._waker = Waker()
        self._deadline = loop.time() + self._timeout
        self._next_bookmark = loop.time() + BOOKMARK_EVERY
        sequence: int | None = self._after
        for piece in self._initial_pieces(self._after):
            yield piece
        while sequence is not None:
            follower: Follower | None = None
            try:
                follower = self._follow(self._waker.wake, sequence)
                async for data in self._alone(follower):
                    yield data
                sequence = follower.sequence
            except Expired as error:
                yield error_line(expired(str(error)), self._view)
                return
            finally:
                if follower is not None:
                    follower.close()
            sequence = await self._together(sequence) if self._left() > 0 else None
            if sequence is not None:
                yield b""  # sending waits until the connection takes bytes again
        if self._bookmark is not None:
            yield self._view.line("BOOKMARK", self._bookmark(self._ended, False))

    async def _alone(self, follower: Follower) -> AsyncIterator[bytes]:
        """Yield what the follower finds, until there is nothing left and others can be joined."""
        while True:
            events = follower.take(CHUNK_EVENTS)
            if events:
                for _, data in in_pieces(self._lines(events)):
                    yield data
            self._ended = max(follower.sequence, self._after)
            if len(events) == CHUNK_EVENTS:
                continue
            joins = self._may_join() and follower.sequence >= self._after
            if self._left() <= 0 or (not events and joins):
                return
            if events and joins:
                continue
            if (bookmark := self._due_bookmark(self._ended)) is not None:
                yield bookmark
            await self._waker.sleep(self._pause())

    async def _together(self, sequence: int) -> int | None:
        """Take part in a group until the connection falls behind; None when the time is up."""
        fanout, push = self._fanout, self._push
        assert fanout is not None
        assert push is not None
        hub: Hub = fanout.hub(self._resource)
        member = Member(push, sequence, self._waker.wake)
        hub.join(self._view, member)
        try:
            while member.joined:
                if self._left() <= 0:
                    self._ended = hub.reached(member)
                    return None
                if self._bookmark is not None and self._loop.time() >= self._next_bookmark:
                    bookmark = self._due_bookmark(hub.reached(member))
                    if bookmark is not None and not push(as_chunk(bookmark)):
                        break
                    continue
                await self._waker.sleep(self._pause())
        finally:
            reached = hub.leave(self._view, member) if member.joined else member.sequence
        return reached

    def _may_join(self) -> bool:
        return self._fanout is not None and self._push is not None and self._encode_first is None

    def _left(self) -> float:
        return self._deadline - self._loop.time()

    def _pause(self) -> float:
        left = self._left()
        if self._bookmark is not None:
            left = min(left, self._next_bookmark - self._loop.time())
        return max(left, 0.0)

    def _due_bookmark(self, sequence: int) -> bytes | None:
        now = self._loop.time()
        if self._bookmark is None or now < self._next_bookmark:
            return None
        self._next_bookmark = now + BOOKMARK_EVERY
        return self._view.line("BOOKMARK", self._bookmark(sequence, False))

    def _initial_pieces(self, sequence: int) -> Iterator[bytes]:
        line, encode = self._view.line, self._encode_initial
        lines = []
        for obj in self._initial:
            if self._encode_first is not None:
                lines.append((0, line("ADDED", self._encode_first(obj))))
                self._encode_first = None
            else:
                lines.append((0, line("ADDED", encode(obj))))
            if len(lines) == CHUNK_EVENTS:
                yield from (data for _, data in in_pieces(lines))
                lines.clear()
        self._initial = ()
        if self._mark_initial and self._bookmark is not None:
            lines.append((0, line("BOOKMARK", self._bookmark(sequence, True))))
        # An empty piece lets the client see that the watch has begun.
        yield from [data for _, data in in_pieces(lines)] or [b""]

    def _lines(self, events: list[ObjectEvent]) -> list[tuple[int, bytes]]:
        """Return what is seen of events; the first object ever sent may be written differently."""
        memo = Memo()
        if events[0].sequence <= self._after:  # a watch from a version that was yet to come
            events = [event for event in events if event.sequence > self._after]
        if self._encode_first is None:
            return memo.lines(self._view, events)
        first = replace(self._view, encode=self._encode_first, shape=_FIRST)
        for at, event in enumerate(events):
            line = memo.line(first, event)
            if line is not None:
                self._encode_first = None
                rest = memo.lines(self._view, events[at + 1 :])
                return [(event.sequence, line), *rest]
        return []
