"""HTTP at ports of simulated containers: a request in, an answer out."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, unquote

import orjson

from orchestrator.embedded.containers.commands import Connection, PortFunction
from orchestrator.embedded.containers.containers import Container

LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a request's body that are read."""


class Request:
    """A request to a container.

    Attributes:
        method: ``GET`` and so on.
        path: Without the query, unquoted.
        query: Parameters, the last of each name.
        headers: By lower-case name.
        body: All of it.
        container: Whom it was sent to.
    """

    def __init__(self, container: Container) -> None:
        """Made for each request."""
        self.container = container
        self.method = ""
        self.path = ""
        self.query: Mapping[str, str] = {}
        self.headers: dict[str, str] = {}
        self.body = b""

    def json(self) -> Any:
        """Return the body as JSON data."""
        return orjson.loads(self.body)


HttpFunction: TypeAlias = Callable[[Request], Awaitable[object] | object]
"""Answers a request: with a status code, a text, bytes or JSON data (and 200), or with a code and
one of these; None is 204."""


class _Reading:
    """What httptools tells of a request."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.done = False
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self.request.body += data

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        self.request.path = unquote(path)
        self.request.query = dict(parse_qsl(query, keep_blank_values=True))
        self.done = True


def serve_http(function: HttpFunction) -> PortFunction:
    """Return what serves a connection by a function, one request each."""

    async def serve(connection: Connection) -> None:
        import httptools

        reading = _Reading(Request(connection.container))
        parser = httptools.HttpRequestParser(reading)
        while not reading.done:
            data = await connection.read()
            if not data:
                return
            try:
                parser.feed_data(data)
            except httptools.HttpParserError as error:
                await connection.write(_answer(400, f"{error}\n"))
                return
            if len(reading.request.body) > LIMIT:
                await connection.write(_answer(413, "the body is too large\n"))
                return
        reading.request.method = parser.get_method().decode()
        try:
            answer = function(reading.request)
            if inspect.isawaitable(answer):
                answer = await answer
            encoded = _encode(answer, reading.request.method)
        except Exception as error:  # noqa: BLE001 - whoever asks is told, and the log
            text = f"{type(error).__name__}: {error}"
            connection.container.error(text)
            encoded = _answer(500, f"{text}\n")
        await connection.write(encoded)

    return serve


def _encode(answer: object, method: str) -> bytes:
    code, body = 200, answer
    if isinstance(answer, tuple):
        code, body = answer
    elif isinstance(answer, int) and not isinstance(answer, bool):
        code, body = answer, ""
    elif answer is None:
        code, body = 204, ""
    encoded = _answer(code, body)
    return encoded.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else encoded


def _answer(code: int, body: object) -> bytes:
    kind = "text/plain; charset=utf-8"
    if isinstance(body, str):
        data = body.encode()
    elif isinstance(body, bytes):
        data, kind = body, "application/octet-stream"
    else:
        data, kind = orjson.dumps(body), "application/json"
    try:
        phrase = HTTPStatus(code).phrase
    except ValueError:
        phrase = ""
    length = "" if code == HTTPStatus.NO_CONTENT else f"Content-Length: {len(data)}\r\n"
    head = f"HTTP/1.1 {code} {phrase}\r\nContent-Type: {kind}\r\n{length}Connection: close\r\n\r\n"
    return head.encode() + data
