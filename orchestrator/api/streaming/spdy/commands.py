"""``exec`` and ``attach`` over SPDY: a stream for each of the command's, one for how it ended.

What kubectl spoke before 1.30, and falls back to. Source: k8s.io/kubelet
pkg/cri/streaming/remotecommand/httpstream.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from orchestrator.api.streaming.channels import CLOSE, RESIZE, STDERR, STDIN, STDOUT, Piece
from orchestrator.api.streaming.spdy.connection import SpdyConnection, SpdyStream
from orchestrator.api.streaming.upgrades import ByteConnection
from orchestrator.resources.objects import Object

STREAMS_SECONDS: Final = 30.0
"""Seconds in which all streams have to be there; the kubelet's ``DefaultStreamCreationTimeout``."""
_GOODBYE: Final = 10.0
"""Seconds that a client has to close once all is said; then the connection is closed for it."""


class Version(NamedTuple):
    """A version of the protocol.

    Attributes:
        name: As it is negotiated.
        resizes: Whether a terminal has a stream for its size.
        status: How it ended is told as a ``Status``, else as a failure's text.
    """

    name: str
    resizes: bool
    status: bool


_VERSIONS: Final = {
    version.name: version
    for version in (
        Version("v4.channel.k8s.io", resizes=True, status=True),
        Version("v3.channel.k8s.io", resizes=True, status=False),
        Version("v2.channel.k8s.io", resizes=False, status=False),
        Version("channel.k8s.io", resizes=False, status=False),
    )
}
NAMES: Final = tuple(_VERSIONS)


def choose_version(offered: Sequence[str]) -> Version | None:
    """Return the first known version of those offered, the oldest where none is; None for none."""
    if not offered:
        return _VERSIONS["channel.k8s.io"]
    return next((_VERSIONS[name] for name in offered if name in _VERSIONS), None)


class StreamsMissingError(Exception):
    """The client did not begin the streams that it asked for."""


class SpdyEnds:
    """A client that speaks in streams."""

    def __init__(
        self, carrier: ByteConnection, version: Version, wanted: Sequence[str], *, tty: bool
    ) -> None:
        """Speak over ``carrier``.

        Args:
            carrier: Closed by `close`.
            version: Of the protocol.
            wanted: Which of ``stdin``, ``stdout`` and ``stderr`` the client asked for.
            tty: Whether it has a terminal.
        """
        self._carrier = carrier
        self._version = version
        self._expected = {"error", *wanted}
        if tty and version.resizes:
            self._expected.add("resize")
        self._streams: dict[str, SpdyStream] = {}
        self._complete = asyncio.Event()
        self._said: asyncio.Queue[Piece | None] = asyncio.Queue(4)
        self._connection = SpdyConnection(carrier, self._check, self._begun)
        self._serving = asyncio.create_task(self._serve(self._connection))
        self._listening: list[asyncio.Task[None]] = []

    def _check(self, headers: Mapping[str, str]) -> str:
        kind = headers.get("streamtype", "")
        if kind not in self._expected or kind in self._streams:
            return f'invalid stream type "{kind}"'
        return ""

    def _begun(self, stream: SpdyStream) -> None:
        self._streams[stream.headers["streamtype"]] = stream
        if self._streams.keys() == self._expected:
            self._complete.set()

    async def _serve(self, connection: SpdyConnection) -> None:
        try:
            await connection.run()
        except (OSError, ValueError):  # the client has left, or speaks something else
            return
        finally:
            self._complete.set()

    async def open(self) -> None:
        """Wait until all streams are there.

        Raises:
            StreamsMissingError: They are not, in time.
        """
        try:
            async with asyncio.timeout(STREAMS_SECONDS):
                await self._complete.wait()
        except TimeoutError:
            raise StreamsMissingError("timed out waiting for client to create streams") from None
        if self._streams.keys() != self._expected:
            raise StreamsMissingError("the client left before it created its streams")
        if "stdin" in self._streams:
            self._listening.append(asyncio.create_task(self._listen(self._streams["stdin"])))
        if "resize" in self._streams:
            self._listening.append(asyncio.create_task(self._measure(self._streams["resize"])))

    async def _listen(self, stream: SpdyStream) -> None:
        while data := await stream.read():
            await self._said.put(Piece(STDIN, data))
        await self._said.put(Piece(CLOSE, bytes((STDIN,))))

    async def _measure(self, stream: SpdyStream) -> None:
        rest = b""
        while data := await stream.read():
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-1024:]  # a size has some thirty bytes
            for line in lines:
                await self._said.put(Piece(RESIZE, line))

    async def receive(self) -> Piece | None:
        """Return what the client says next; None once it has left."""
        saying = asyncio.create_task(self._said.get())
        try:
            await asyncio.wait((saying, self._serving), return_when=asyncio.FIRST_COMPLETED)
            return saying.result() if saying.done() else None
        finally:
            saying.cancel()

    async def send(self, channel: int, data: bytes) -> None:
        """Send output or errors; OSError once the client has left."""
        if self._serving.done():
            raise ConnectionError("the client has left")
        stream = self._streams.get({STDOUT: "stdout", STDERR: "stderr"}.get(channel, ""))
        if stream is not None:
            await stream.write(data)

    async def finish(self, status: Object) -> None:
        """Say how it ended, end all streams, and give the client time to close."""
        error = self._streams["error"]
        if self._version.status:
            await error.write(orjson.dumps(status))
        elif status["status"] != "Success":
            await error.write(status["message"].encode())
        for stream in tuple(self._streams.values()):
            await stream.finish()
        await asyncio.wait((self._serving,), timeout=_GOODBYE)

    async def close(self) -> None:
        """End what listens, and the connection."""
        tasks = (*self._listening, self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._carrier.close()

    def is_gone(self) -> bool:
        """Tell whether the client has left."""
        return self._serving.done() or self._carrier.is_gone()

    def nudge(self) -> None:
        """Ping the client."""
        self._connection.nudge()
