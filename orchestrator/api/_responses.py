"""Answers: what a handler returns and how it becomes ASGI messages."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import field
from typing import Any, Final

import orjson

from orchestrator.api._negotiation import PLAIN, Accepted
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError

GZIP_FROM: Final = 128 * 1024
"""Bytes from which an answer is compressed when the client accepts it; upstream's threshold."""

PUSH: Final = "orchestrator.push"
"""The ASGI extension by which an application writes pieces of an answer that has begun, already
framed as chunks, without a task of its own: a function from bytes to whether more can be taken."""

ABORT: Final = "orchestrator.abort"
"""The ASGI extension by which an application drops a connection that takes nothing any more."""

RESET: Final = "orchestrator.reset"
"""The ASGI extension by which an application resets a connection: TCP tells the client at once."""

_GZIP_LEVEL: Final = 1  # upstream's: cheap enough not to cost more time than it saves
_MAX_HEADER: Final = 4096
_WARNING_CUT: Final = 256
_WARNINGS: Final = 80

WARNINGS_LIMIT: Final = 4096
"""Characters of all warnings of one answer; upstream's ``truncateAtTotalRunes``."""


@dataclass(slots=True)
class Response:
    """A whole answer."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Stream:
    """An answer in pieces: a watch or a followed log. Each piece is sent as it comes.

    Attributes:
        chunks: The pieces.
        content_type: Of all of them together.
        headers: Further headers.
        attach: Takes a function that writes to the connection beside ``chunks``, where there is
            one; the answer has begun by then.
        seconds: After which the stream ends by itself; one that has not some time later is stuck
            in a connection that takes nothing. None for one without such an end.
        custom: The custom resource that it is about, if it is about one.
        status: HTTP code.
        forwarded: Another server's answer: it has all headers that it needs.
    """

    chunks: AsyncIterator[bytes]
    content_type: bytes = b"application/json"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    attach: Callable[[Callable[[bytes], bool]], None] | None = None
    seconds: float | None = None
    custom: str = ""
    status: int = 200
    forwarded: bool = False


def to_yaml(value: Any) -> bytes:
    """Encode JSON data as YAML with sorted keys, as upstream does."""
    import yaml  # 10 ms, and hardly anybody asks for it

    text = yaml.dump(
        value,
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        default_flow_style=False,
        allow_unicode=True,
    )
    return str(text).encode()


def encode(value: Any, accepted: Accepted = PLAIN, *, pretty: bool = False) -> bytes:
    """Encode JSON data as the client asked."""
    if accepted.encoding == "yaml":
        return to_yaml(value)
    if accepted.encoding == "protobuf":
        from orchestrator.api.protobuf import encode_object

        return encode_object(value)
    if pretty:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return orjson.dumps(value)


def dump_of(accepted: Accepted) -> Callable[[Any], bytes]:
    """Return what encodes an object of any kind in a watch: bookmarks and errors too."""
    if accepted.encoding == "protobuf":
        from orchestrator.api.protobuf import encode_object

        return encode_object
    return orjson.dumps


def json_response(
    value: Any, status: int = 200, accepted: Accepted = PLAIN, *, pretty: bool = False
) -> Response:
    """Answer with one document in the encoding asked for."""
    return Response(status, encode(value, accepted, pretty=pretty), accepted.content_type)


def text_response(text: str, status: int = 200) -> Response:
    """Answer with plain text."""
    return Response(status, text.encode(), b"text/plain; charset=utf-8")


def error_response(error: StatusError, accepted: Accepted = PLAIN) -> Response:
    """Answer with the error's ``Status`` object, and ``Retry-After`` where it says when."""
    response = json_response(error.status(), error.code, accepted)
    seconds = (error.details or {}).get("retryAfterSeconds")
    if seconds:
        response.headers.append((b"retry-after", str(seconds).encode()))
    if error.code == 401:
        response.headers.append((b"www-authenticate", b'Bearer realm="orchestrator"'))
    return response


def warning_header(text: str) -> tuple[bytes, bytes]:
    """Build a ``Warning: 299`` header; control characters become spaces, long texts are cut."""
    clean = "".join(char if char.isprintable() else " " for char in text)[:_MAX_HEADER]
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return b"warning", f'299 - "{escaped}"'.encode("latin-1", "replace")


def warning_headers(texts: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Build the headers of all warnings, each once, within bounds.

    Together they have upstream's 4096 characters; where that is too little each is cut to 256, and
    what is still too much is left out. Clients take a hundred headers of any kind at most.
    """
    once = list(dict.fromkeys(texts))
    if sum(map(len, once)) > WARNINGS_LIMIT:
        once = [text[:_WARNING_CUT] for text in once]
    headers: list[tuple[bytes, bytes]] = []
    written = 0
    for text in once[:_WARNINGS]:
        if written >= WARNINGS_LIMIT:
            break
        written += len(text)
        headers.append(warning_header(text))
    return headers


def compressed(body: bytes) -> bytes:
    """Compress an answer at upstream's level."""
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def accepts_gzip(header: bytes) -> bool:
    """Tell whether ``Accept-Encoding`` names gzip without refusing it."""
    return any(
        part.split(b";")[0].strip() == b"gzip" and b"q=0" not in part.replace(b"q=0.", b"")
        for part in header.split(b",")
    )


def start_message(
    response: Response | Stream, request_id: bytes, more: Sequence[tuple[bytes, bytes]] = ()
) -> dict[str, Any]:
    """Build ``http.response.start`` with the headers every answer has."""
    if isinstance(response, Stream) and response.forwarded:
        headers = [(b"audit-id", request_id), *response.headers, *more]
        if response.content_type:
            headers.append((b"content-type", response.content_type))
        return {"type": "http.response.start", "status": response.status, "headers": headers}
    headers = [
        (b"audit-id", request_id),
        (b"cache-control", b"no-cache, private"),
        (b"content-type", response.content_type),
        *response.headers,
        *more,
    ]
    if isinstance(response, Response):
        headers.append((b"content-length", str(len(response.body)).encode()))
    return {"type": "http.response.start", "status": response.status, "headers": headers}
