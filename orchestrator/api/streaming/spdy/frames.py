"""SPDY's frames, without a connection: bytes in, frames out, and back.

Source: SPDY Protocol draft 3.1, section 2.2 and 2.6. Flow control (``WINDOW_UPDATE``) is read and
passed over, as Docker's implementation does, which kubectl has: back-pressure is the connection's.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from orchestrator.api.streaming.spdy.headers import HeaderReader, HeaderWriter

VERSION: Final = 3
CONTROL_LIMIT: Final = 64 * 1024
"""Bytes of a control frame; a longer one means that the peer speaks something else."""

PROTOCOL_ERROR: Final = 1
REFUSED: Final = 3
CANCEL: Final = 5

_FIN: Final = 0x01


class Kind(enum.IntEnum):
    """Types of control frames that say something here."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    PING = 6
    GOAWAY = 7
    HEADERS = 8


_HEAD: Final = struct.Struct(">II")
_CONTROL_BIT: Final = 0x80000000
_STREAM_MASK: Final = 0x7FFFFFFF
_WORD: Final = struct.Struct(">I")
_TWO: Final = struct.Struct(">II")
_SYN: Final = struct.Struct(">IIH")


@dataclass(frozen=True, slots=True)
class StreamBegun:
    """``SYN_STREAM``: the peer begins a stream."""

    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class StreamReplied:
    """``SYN_REPLY``: the peer takes part in a stream."""

    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class StreamReset:
    """``RST_STREAM``: the peer wants nothing more of a stream."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """``PING``: to be sent back, unless it is one of ours."""

    number: int


@dataclass(frozen=True, slots=True)
class WentAway:
    """``GOAWAY``: the peer begins no more streams."""

    last: int


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream: a data frame, or a part of a long one, whose end alone has ``fin``."""

    stream: int
    data: bytes
    fin: bool = False


Frame: TypeAlias = StreamBegun | StreamReplied | StreamReset | Pinged | WentAway | Data


class FrameError(ValueError):
    """The bytes are no SPDY; the connection can't go on."""


class FrameReader:
    """Cuts the bytes of one direction into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._headers = HeaderReader()
        self._within: tuple[int, int, bool] | None = None
        """Of a data frame that is not complete: its stream, the bytes left, and whether it ends."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Add ``data`` and yield what is complete; to be exhausted before the next call.

        Raises:
            FrameError: They are no frames.
        """
        self._buffer += data
        while True:
            if self._within is not None:
                if not self._buffer and self._within[1]:
                    return
                yield self._take_data(self._within)
                continue
            if len(self._buffer) < _HEAD.size:
                return
            first, second = _HEAD.unpack_from(self._buffer)
            flags, length = second >> 24, second & 0xFFFFFF
            if not first & _CONTROL_BIT:
                del self._buffer[: _HEAD.size]
                self._within = (first, length, bool(flags & _FIN))
                continue
            if first >> 16 & 0x7FFF != VERSION:
                raise FrameError(f"SPDY of version {first >> 16 & 0x7FFF} is not spoken here")
            if length > CONTROL_LIMIT:
                raise FrameError(f"a control frame of {length} bytes is over {CONTROL_LIMIT}")
            if len(self._buffer) < _HEAD.size + length:
                return
            body = bytes(self._buffer[_HEAD.size : _HEAD.size + length])
            del self._buffer[: _HEAD.size + length]
            frame = self._control(first & 0xFFFF, flags, body)
            if frame is not None:
                yield frame

    def _take_data(self, within: tuple[int, int, bool]) -> Data:
        stream, left, fin = within
        piece = bytes(self._buffer[:left])
        del self._buffer[:left]
        left -= len(piece)
        self._within = (stream, left, fin) if left else None
        return Data(stream, piece, fin and not left)

    def _control(self, kind: int, flags: int, body: bytes) -> Frame | None:
        fin = bool(flags & _FIN)
        try:
            match kind:
                case Kind.SYN_STREAM:
                    stream, _, _ = _SYN.unpack_from(body)
                    headers = self._headers.read(body[_SYN.size :])
                    return StreamBegun(stream & _STREAM_MASK, headers, fin)
                case Kind.SYN_REPLY | Kind.HEADERS:
                    (stream,) = _WORD.unpack_from(body)
                    headers = self._headers.read(body[_WORD.size :])  # for the next ones' sake
                    if kind == Kind.HEADERS:
                        return None
                    return StreamReplied(stream & _STREAM_MASK, headers, fin)
                case Kind.RST_STREAM:
                    stream, status = _TWO.unpack_from(body)
                    return StreamReset(stream & _STREAM_MASK, status)
                case Kind.PING:
                    return Pinged(_WORD.unpack_from(body)[0])
                case Kind.GOAWAY:
                    return WentAway(_WORD.unpack_from(body)[0] & _STREAM_MASK)
                case _:  # SETTINGS, WINDOW_UPDATE and whatever is unknown say nothing to us
                    return None
        except struct.error as error:
            raise FrameError(f"a control frame of type {kind} is too short") from error


class FrameWriter:
    """Makes the bytes of one direction's frames."""

    def __init__(self) -> None:
        self._headers = HeaderWriter()

    def begin(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """Begin a stream; what a client does."""
        return _control(Kind.SYN_STREAM, 0, _SYN.pack(stream, 0, 0) + self._headers.write(headers))

    def reply(self, stream: int) -> bytes:
        """Take part in a stream."""
        return _control(Kind.SYN_REPLY, 0, _WORD.pack(stream) + self._headers.write({}))


def data_frame(stream: int, data: bytes, *, fin: bool = False) -> bytes:
    """Return a data frame; ``data`` must be shorter than 16 MB."""
    return _HEAD.pack(stream, (_FIN if fin else 0) << 24 | len(data)) + data


def reset_frame(stream: int, status: int) -> bytes:
    """Return what ends a stream in both directions."""
    return _control(Kind.RST_STREAM, 0, _TWO.pack(stream, status))


def ping_frame(number: int) -> bytes:
    """Return a ping, or the answer to one."""
    return _control(Kind.PING, 0, _WORD.pack(number))


def goaway_frame(last: int) -> bytes:
    """Return what ends a connection.

    Args:
        last: The last of the peer's streams that was looked at.
    """
    return _control(Kind.GOAWAY, 0, _TWO.pack(last, 0))


def _control(kind: Kind, flags: int, body: bytes) -> bytes:
    first = _CONTROL_BIT | VERSION << 16 | kind
    return _HEAD.pack(first, flags << 24 | len(body)) + body
