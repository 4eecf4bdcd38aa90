"""Asking a server for its health by gRPC: one call of ``grpc.health.v1.Health/Check``.

As much of HTTP/2 as one small call takes (RFC 9113), since a library for all of gRPC would weigh
more than all that is installed else. Headers of the answer are not decoded: a server that is well
says so in its message, and one that sends none is not.
https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#define-a-grpc-liveness-probe
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 1, 1, 4, 8
_STREAM: Final = 1
_FRAME_LIMIT: Final = 1 << 16
"""Bytes of a frame that are taken; nobody was told that more would be."""
_STATUSES: Final = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


class NoStatusError(Exception):
    """The server answered, but not with its health; the text says how."""


async def ask_health(host: str, port: int, service: str, agent: str) -> str:
    """Ask a server for the health of a service, ``""`` for all of it.

    Returns:
        ``SERVING``, ``NOT_SERVING`` or whatever else it may say.

    Raises:
        OSError: There is no connection.
        NoStatusError: No health was answered.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        headers = _literals(
            {
                ":method": "POST",
                ":scheme": "http",
                ":path": "/grpc.health.v1.Health/Check",
                ":authority": f"{host}:{port}",
                "te": "trailers",
                "content-type": "application/grpc",
                "user-agent": agent,
            }
        )
        name = service.encode()
        request = b"\x0a" + bytes([len(name)]) + name if name else b""
        message = struct.pack(">BI", 0, len(request)) + request
        writer.write(
            _PREFACE
            + _frame(_SETTINGS, 0, 0)
            + _frame(_HEADERS, _END_HEADERS, _STREAM, headers)
            + _frame(_DATA, _END_STREAM, _STREAM, message)
        )
        return _status(await _answer(reader, writer))
    except (asyncio.IncompleteReadError, OSError) as error:
        raise NoStatusError("the connection was closed before an answer") from error
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read frames until the call is over; return its message with its prefix."""
    answer = b""
    while True:
        head = await reader.readexactly(9)
        size = int.from_bytes(head[:3])
        kind, flags = head[3], head[4]
        if size > _FRAME_LIMIT:
            raise NoStatusError("the answer is not HTTP/2")
        payload = await reader.readexactly(size)
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            writer.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _DATA:
            padding = payload[0] if flags & _PADDED and payload else None
            answer += payload if padding is None else payload[1 : size - padding]
            if len(answer) > _FRAME_LIMIT:
                raise NoStatusError("the answer is too long")
        if kind == _GOAWAY:
            raise NoStatusError("the server ended the connection")
        if kind == _RST_STREAM:
            raise NoStatusError("the server ended the call")
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            return answer


def _status(answer: bytes) -> str:
    """Return the name of the status in a ``HealthCheckResponse``; its one field is a number."""
    if len(answer) < 5:
        raise NoStatusError("the server answered no health")
    message = answer[5:]
    number = message[1] if len(message) > 1 and message[0] == 0x08 else 0
    return _STATUSES[number] if number < len(_STATUSES) else str(number)


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _literals(headers: dict[str, str]) -> bytes:
    """Encode headers as literals without indexing or Huffman's code (RFC 7541); all are short."""
    encoded = b""
    for name, value in headers.items():
        encoded += b"\0" + bytes([len(name)]) + name.encode()
        encoded += bytes([len(value)]) + value.encode()
    return encoded
