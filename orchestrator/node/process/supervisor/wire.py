"""Frames between daemon and supervisor: four bytes of length, then one JSON object.

JSON rather than msgpack because the supervisor has only the standard library.
"""

from __future__ import annotations

import json
import struct
from typing import Any

Message = dict[str, Any]

LIMIT = 16 * 1024 * 1024
"""Longest frame in bytes; a longer one means that the peer speaks something else."""

_LENGTH = struct.Struct(">I")
HEADER = _LENGTH.size


def encode(message: Message) -> bytes:
    """Return the frame of ``message``."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


def length_of(header: bytes) -> int:
    """Return the body's length in bytes; ValueError when it is over `LIMIT`."""
    (length,) = _LENGTH.unpack(header)
    if length > LIMIT:
        raise ValueError(f"frame of {length} bytes is over the limit of {LIMIT}")
    return int(length)


class Decoder:
    """Cuts a byte stream into messages."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Add ``data`` and return the messages that are complete, in order.

        Raises:
            ValueError: The stream is not made of frames; close it.
        """
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= HEADER:
            end = HEADER + length_of(bytes(self._buffer[:HEADER]))
            if len(self._buffer) < end:
                break
            message = json.loads(bytes(self._buffer[HEADER:end]))
            if not isinstance(message, dict):
                raise ValueError("a frame must hold a JSON object")  # noqa: TRY004 - one error for one cause: not our protocol
            messages.append(message)
            del self._buffer[:end]
        return messages
