"""One watch on its way to its client, where a fault can hold it back, cut it, or let it expire.

As long as no fault has struck it, a watch costs one look for each piece. One that is held back
takes on pieces up to a bound, then lets the API feel that its client takes nothing: what falls
behind too far expires, as with any slow client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import orjson

from orchestrator.api._events import event_line
from orchestrator.api._requests import Receive, Scope, Send
from orchestrator.api._responses import PUSH
from orchestrator.api.faults.rules import ApiFault, ApiRequest
from orchestrator.resources.errors import StatusError

if TYPE_CHECKING:
    from actors import Clock

_HELD: Final = 1000
"""Pieces of a watch held back from which on the API has to wait."""
_FRAME: Final = 4
"""Bytes before each event of a watch in protobuf, which tell its length."""

Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds of the cluster's time."""


class WatchLine:
    """A watch, between the application and its client.

    Attributes:
        request: What is watched, as faults see it.
    """

    def __init__(
        self, request: Callable[[], ApiRequest], scope: Scope, send: Send, clock: Clock
    ) -> None:
        """Stand between; ``request`` is called when a fault looks at it for the first time."""
        self._describe = request
        self._known: ApiRequest | None = None
        self._scope = scope
        self._sends = send
        self._clock = clock
        self._pump: _Pump | None = None
        self._task: asyncio.Task[Any] | None = None
        self._protobuf = False
        self._started = False
        self._over = False
        self._last_words: StatusError | None = None
        self._pushes: Callable[[bytes], bool] | None = (scope.get("extensions") or {}).get(PUSH)

    @property
    def request(self) -> ApiRequest:
        """What is watched."""
        if self._known is None:
            self._known = self._describe()
        return self._known

    @property
    def is_held_back(self) -> bool:
        """Whether it may have to tell what the API has told it."""
        return self._pump is not None

    async def run(
        self,
        forward: Callable[[Scope, Receive, Send], Awaitable[None]],
        receive: Receive,
        reset: Callable[[Scope, Receive], Awaitable[None]],
    ) -> None:
        """Let the application answer, until it ends or a fault ends it.

        Args:
            forward: Answers the request.
            receive: The client's side.
            reset: Resets the connection.
        """
        scope = self._scope
        if self._pushes is not None:
            scope = {**scope, "extensions": {**scope["extensions"], PUSH: self._push}}
        self._task = asyncio.current_task()
        try:
            await forward(scope, receive, self._send)
            if self._pump is not None and not self._over:
                await self._pump.finish(receive)
        except asyncio.CancelledError:
            if not self._over or self._task is None:
                raise
            self._task.uncancel()
        finally:
            await self.close()
        if not self._over:
            return
        if self._last_words is None:
            await reset(self._scope, receive)
            return
        body = self._framed(self._last_words)
        await self._sends({"type": "http.response.body", "body": body, "more_body": True})
        await self._sends({"type": "http.response.body", "body": b"", "more_body": False})

    async def close(self) -> None:
        """Let go of what was held back for a client that has left."""
        if self._pump is not None:
            await self._pump.close()

    # -- what faults do

    def strike(self, fault: ApiFault) -> None:
        """Let a fault act on it, whose effect is one of watches."""
        effect = fault.effect
        if effect.stale_watch:
            self._slow().hold(fault, effect.stale_watch)
        if effect.delay_watch:
            self._slow().delays[fault] = effect.delay_watch
        if effect.drop_watch or effect.refusal is not None:
            words = effect.refusal(self.request) if effect.refusal is not None else None
            if effect.events:
                self._slow().end_after(fault, lambda: self.end(words))
            else:
                self.end(words)

    def release(self, fault: ApiFault) -> None:
        """Let a fault act on it no longer."""
        if self._pump is not None:
            self._pump.release(fault)

    def end(self, words: StatusError | None) -> None:
        """End it now: with an ERROR event, or without a word and by a reset."""
        if self._over:
            return
        self._over, self._last_words = True, words
        if self._started and self._task is not None:
            self._task.cancel()  # otherwise once the answer has begun

    def _slow(self) -> _Pump:
        if self._pump is None:
            self._pump = _Pump(self._sends, self._clock, self._events_of)
        return self._pump

    # -- the way through

    def _push(self, chunk: bytes) -> bool:
        if self._over:
            return False
        if self._pump is None:
            assert self._pushes is not None, "only what can push is given a push"
            return self._pushes(chunk)
        return self._pump.put_nowait(_body(chunk))

    async def _send(self, message: Any) -> None:
        if self._over and self._started:
            return
        if message["type"] == "http.response.start":
            await self._sends(message)
            kind = dict(message["headers"]).get(b"content-type", b"")
            self._protobuf = kind.startswith(b"application/vnd.kubernetes.protobuf")
            self._started = True
            if self._over and self._task is not None:
                self._task.cancel()
        elif self._pump is None or not (message["body"] or not message.get("more_body")):
            await self._sends(message)
        else:
            await self._pump.put(message)

    def _events_of(self, body: bytes) -> list[bytes]:
        """Split a piece into its events, each in its frame."""
        if not self._protobuf:
            return body.splitlines(keepends=True)
        events = []
        while body:
            size = _FRAME + int.from_bytes(body[:_FRAME], "big")
            events.append(body[:size])
            body = body[size:]
        return events

    def _framed(self, error: StatusError) -> bytes:
        if not self._protobuf:
            return event_line("ERROR", orjson.dumps(error.status()))
        from orchestrator.api.protobuf import encode_object, watch_frame

        return watch_frame("ERROR", encode_object(error.status()))


class _Pump:
    """Sends a watch's pieces when their time has come; begun with the first fault that asks."""

    def __init__(self, send: Send, clock: Clock, split: Callable[[bytes], list[bytes]]) -> None:
        self.delays: dict[ApiFault, float] = {}
        self._send = send
        self._clock = clock
        self._split = split
        self._pieces: asyncio.Queue[tuple[float, Any]] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self._holding: dict[ApiFault, Any] = {}
        self._open = asyncio.Event()
        self._open.set()
        self._left = 0
        self._ending: tuple[ApiFault, Callable[[], None]] | None = None
        self._released = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="held-back-watch")

    def hold(self, fault: ApiFault, seconds: float) -> None:
        """Tell nothing until the fault is released, or for so many seconds."""
        timer = None
        if seconds != float("inf"):
            timer = self._clock.call_later(seconds, self.release, fault)
        self._holding[fault] = timer
        self._open.clear()

    def release(self, fault: ApiFault) -> None:
        """Hold nothing back for a fault any more, and do not end for it."""
        self.delays.pop(fault, None)
        self._released.set()
        if self._ending is not None and self._ending[0] is fault:
            self._ending = None
        timer = self._holding.pop(fault, None)
        if timer is not None:
            timer.cancel()
        if not self._holding:
            self._open.set()

    def end_after(self, fault: ApiFault, end: Callable[[], None]) -> None:
        """Let as many events through as a fault does, then call ``end``."""
        self._left, self._ending = fault.effect.events, (fault, end)

    def put_nowait(self, body: bytes) -> bool:
        """Take a piece; False: no more after it for now."""
        message = {"type": "http.response.body", "body": body, "more_body": True}
        self._take(message)
        return self._room.is_set()

    async def put(self, message: Any) -> None:
        """Take a piece; returns once there is room for more."""
        self._take(message)
        await self._room.wait()

    def _take(self, message: Any) -> None:
        self._pieces.put_nowait((self._clock.monotonic(), message))
        if self._pieces.qsize() >= _HELD:
            self._room.clear()

    async def finish(self, receive: Receive) -> None:
        """Wait until all is sent, or the client has left."""
        leaving = asyncio.create_task(_left(receive))
        sent = asyncio.create_task(self._pieces.join())
        try:
            await asyncio.wait({leaving, sent}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (leaving, sent):
                await _cancelled(task)

    async def close(self) -> None:
        """Send no more."""
        for fault in tuple(self._holding):
            self.release(fault)
        await _cancelled(self._task)

    async def _run(self) -> None:
        while True:
            taken, message = await self._pieces.get()
            if self._pieces.qsize() < _HELD // 2:
                self._room.set()
            await self._open.wait()
            await self._ripen(taken)
            await self._pass(message)
            self._pieces.task_done()

    async def _ripen(self, taken: float) -> None:
        """Wait until a piece is as old as the faults still in force want it to be."""
        while self.delays and (
            (left := taken + max(self.delays.values()) - self._clock.monotonic()) > 0
        ):
            self._released.clear()
            timer = self._clock.call_later(left, self._released.set)
            try:
                await self._released.wait()
            finally:
                timer.cancel()

    async def _pass(self, message: Any) -> None:
        if self._ending is None or not message["body"]:
            await self._send(message)
            return
        events = self._split(message["body"])
        through, self._left = events[: self._left], self._left - len(events)
        if through:
            await self._send({**message, "body": b"".join(through)})
        if self._left <= 0 and self._ending is not None:
            _, end = self._ending
            self._ending = None
            end()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})  # a cancellation of who waits is not the task's
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def _body(chunk: bytes) -> bytes:
    """Take an HTTP/1.1 chunk out of its frame."""
    size, _, rest = chunk.partition(b"\r\n")
    return rest[: int(size, 16)]
