"""Forwarded connections: pairs of streams, one for the bytes and one for what goes wrong.

Source: k8s.io/kubelet pkg/cri/streaming/portforward.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, Protocol

from actors import get_logger
from orchestrator.api.streaming.channels import ChannelProtocol, decode_piece, encode_piece
from orchestrator.api.streaming.spdy.connection import SpdyConnection, SpdyStream
from orchestrator.api.streaming.upgrades import IDLE_SECONDS, ByteConnection, WebSocket
from orchestrator.node.pipes import MemoryPipe
from orchestrator.node.sessions import PortConnection, SessionError

PAIR_SECONDS: Final = 30.0
"""Seconds in which the second stream of a pair has to follow the first; the kubelet's
``DefaultStreamCreationTimeout``."""
_LOOK: Final = 10.0
"""Seconds between looks at whether a client that is not read from has left, or all is silent."""


class PodPorts(NamedTuple):
    """The pod that is forwarded to.

    Attributes:
        connect: Connects to a port of it.
        name: As messages call it.
        uid: Its uid.
    """

    connect: Callable[[int], Awaitable[PortConnection]]
    name: str
    uid: str


class Duplex(Protocol):
    """The client's side of one connection."""

    async def read(self) -> bytes:
        """Return what the client says; ``b""`` once it says no more."""

    async def write(self, data: bytes) -> None:
        """Send to the client, as it takes it."""


async def forward(pod: PodPorts, port: int, client: Duplex) -> str:
    """Connect a client to a port until the pod's side ends; return what went wrong, or ``""``."""
    try:
        connection = await pod.connect(port)
    except SessionError as error:
        return f"error forwarding port {port} to pod {pod.name}, uid {pod.uid}: {error}"

    async def there() -> None:
        try:
            while data := await client.read():
                await connection.write(data)
        except SessionError:  # the pod has closed: what it said before is still to be read
            return
        connection.end()

    going = asyncio.create_task(there())
    try:
        while data := await connection.read():
            await client.write(data)
    finally:
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        await connection.close()
    return ""


class _Tasks:
    """Tasks that end with their owner."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note)
        return task

    def _note(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        # A client that left, or that speaks something else, is nothing to tell of.
        if error is not None and not isinstance(error, (OSError, ValueError)):
            get_logger("orchestrator.api").error("forwarding failed", exc_info=error)

    async def end(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Watch:
    """Ends what serves a client that has left, or has been silent for too long."""

    def __init__(self, is_gone: Callable[[], bool], nudge: Callable[[], None]) -> None:
        self._is_gone = is_gone
        self._nudge = nudge
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()

    def heard(self) -> None:
        self._heard_at = self._loop.time()

    async def over(self, serving: asyncio.Task[None]) -> None:
        while not serving.done():
            if self._is_gone() or self._loop.time() - self._heard_at > IDLE_SECONDS:
                return
            self._nudge()
            await asyncio.wait((serving,), timeout=_LOOK)


# -- SPDY, by kubectl


def check_headers(headers: Mapping[str, str]) -> str:
    """Tell why a stream is refused, in the kubelet's words, or ``""``."""
    port, kind = headers.get("port", ""), headers.get("streamtype", "")
    if not port:
        return '"port" header is required'
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 1 << 16):
        return f'unable to parse "{port}" as a port'
    if int(port) < 1:
        return f'port "{port}" must be > 0'
    if not kind:
        return '"streamType" header is required'
    return "" if kind in ("error", "data") else f'invalid stream type "{kind}"'


def request_of(stream: SpdyStream) -> str:
    """Return what the streams of a pair have in common.

    Old clients do not say: there a pair's streams follow one another, the error stream first.
    """
    given = stream.headers.get("requestid", "")
    number = stream.number - (2 if stream.headers["streamtype"] == "data" else 0)
    return given or str(number)


class SpdyForwarder:
    """Forwards any number of connections over one SPDY connection."""

    def __init__(self, pod: PodPorts, carrier: ByteConnection) -> None:
        self._pod = pod
        self._carrier = carrier
        self._tasks = _Tasks()
        self._pairs: dict[str, dict[str, SpdyStream]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._watch = _Watch(carrier.is_gone, self._nudge)
        self._connection = SpdyConnection(carrier, check_headers, self._begun, self._watch.heard)

    def _nudge(self) -> None:
        if self._connection.is_held:
            self._connection.nudge()

    async def serve(self) -> None:
        """Serve until the client leaves."""
        serving = self._tasks.run(self._connection.run())
        try:
            await self._watch.over(serving)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            await self._tasks.end()
            await self._carrier.close()

    def _begun(self, stream: SpdyStream) -> None:
        request, kind = request_of(stream), stream.headers["streamtype"]
        pair = self._pairs.setdefault(request, {})
        if kind in pair:
            text = f"error processing stream for request {request}: {kind} stream already assigned"
            self._tasks.run(self._fail(pair, text))
            return
        pair[kind] = stream
        if len(pair) == 2:
            del self._pairs[request]
            self._timers.pop(request).cancel()
            self._tasks.run(self._forward(pair["data"], pair["error"]))
        else:
            loop = asyncio.get_running_loop()
            self._timers[request] = loop.call_later(PAIR_SECONDS, self._expire, request)

    def _expire(self, request: str) -> None:
        pair = self._pairs.pop(request)
        del self._timers[request]
        text = f"(request={request}) timed out waiting for streams"
        self._tasks.run(self._fail(pair, text))

    @staticmethod
    async def _fail(pair: Mapping[str, SpdyStream], text: str) -> None:
        if "error" in pair:
            await pair["error"].write(text.encode())
        for stream in pair.values():
            await stream.finish()

    async def _forward(self, data: SpdyStream, error: SpdyStream) -> None:
        try:
            text = await forward(self._pod, int(data.headers["port"]), data)
            if text:
                await error.write(text.encode())
            await data.finish()
            await error.finish()
        except OSError:  # the client has left
            return


# -- channels, by Python's clients


class _Channel:
    """One port's bytes over a WebSocket."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self.incoming = MemoryPipe()
        self._send = send

    async def write(self, data: bytes) -> None:
        await self._send(data)

    async def read(self) -> bytes:
        return await self.incoming.read()


class ChannelForwarder:
    """Forwards one connection for each port: channel 2n has the bytes, 2n + 1 what goes wrong."""

    def __init__(
        self, pod: PodPorts, socket: WebSocket, protocol: ChannelProtocol, ports: list[int]
    ) -> None:
        self._pod = pod
        self._socket = socket
        self._protocol = protocol
        self._ports = ports
        self._tasks = _Tasks()
        self._watch = _Watch(socket.is_gone, self._nudge)
        self._held = False

    async def serve(self) -> None:
        """Serve until every port's connection has ended, or the client leaves."""
        for number, port in enumerate(self._ports):
            for channel in (2 * number, 2 * number + 1):
                await self._send(channel, port.to_bytes(2, "little"))
        channels = [self._channel(2 * number) for number in range(len(self._ports))]
        taking = self._tasks.run(self._take(channels))
        forwarding = [
            self._tasks.run(self._forward(number, port, channels[number]))
            for number, port in enumerate(self._ports)
        ]
        over = self._tasks.run(self._watch.over(taking))
        try:
            pending = set(forwarding)
            while pending and not over.done():
                done, _ = await asyncio.wait({over, *pending}, return_when=asyncio.FIRST_COMPLETED)
                pending -= done
        finally:
            await self._tasks.end()
            await self._socket.close()

    def _nudge(self) -> None:
        if self._held:
            self._socket.nudge()

    def _channel(self, channel: int) -> _Channel:
        async def send(data: bytes) -> None:
            await self._send(channel, data)

        return _Channel(send)

    async def _send(self, channel: int, data: bytes) -> None:
        await self._socket.send(encode_piece(self._protocol, channel, data))
        self._watch.heard()

    async def _take(self, channels: list[_Channel]) -> None:
        while (message := await self._socket.receive()) is not None:
            self._watch.heard()
            piece = decode_piece(self._protocol, message)
            if piece is None or piece.channel % 2:
                continue
            if 0 <= piece.channel // 2 < len(channels):
                self._held = True
                await channels[piece.channel // 2].incoming.write(piece.data)
                self._held = False

    async def _forward(self, number: int, port: int, channel: _Channel) -> None:
        try:
            text = await forward(self._pod, port, channel)
            if text:
                await self._send(2 * number + 1, text.encode())
        except OSError:  # the client has left
            return
