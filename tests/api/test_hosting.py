"""The server at rest and at its end: nothing runs, nothing is waited for that does not come."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
from email.utils import parsedate_to_datetime

import pytest

from orchestrator.api import ApiServer
from orchestrator.api._requests import Receive, Scope, Send

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Waiting:
    """An application whose answer waits until it is told."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        self.asked.set()
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    def close(self) -> None:
        """Nothing streams."""


async def test_a_server_at_rest_has_no_task() -> None:
    """A cluster in a test starts and ends a hundred times; what waits would be waited for."""
    before = asyncio.all_tasks()
    async with ApiServer(Waiting(), "127.0.0.1", 0):
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before


async def test_a_request_in_flight_is_answered_while_the_server_stops() -> None:
    """Then its connection ends, idle ones have ended before."""
    app = Waiting()
    server = ApiServer(app, "127.0.0.1", 0)
    async with asyncio.timeout(20):
        await server.start()
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", server.port)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        await app.asked.wait()
        stopping = asyncio.create_task(server.stop())
        assert await idle.read() == b""
        assert not stopping.done()
        app.go_on.set()
        assert (await reader.read()).endswith(b"done\r\n0\r\n\r\n")
        await stopping
        for one in (idle_writer, writer):
            one.close()


async def test_a_request_that_does_not_end_is_cancelled() -> None:
    """The deadline is the server's, whatever an application waits for."""
    app = Waiting()
    server = ApiServer(app, "127.0.0.1", 0, stop_deadline=0)
    async with asyncio.timeout(20):
        await server.start()
        before = asyncio.all_tasks()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        await app.asked.wait()
        await server.stop()
        assert b"200" not in await reader.read()
        writer.close()
    assert asyncio.all_tasks() - before == set()


async def test_answers_say_when_they_were_made() -> None:
    """RFC 9110 asks servers that have a clock for it."""
    app = Waiting()
    app.go_on.set()
    async with ApiServer(app, "127.0.0.1", 0) as server:
        for _ in range(2):  # worked out, and remembered
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(REQUEST.replace(b"Host", b"Connection: close\r\nHost"))
            head = (await reader.read()).decode().partition("\r\n\r\n")[0]
            (date,) = (line for line in head.splitlines() if line.lower().startswith("date:"))
            told = parsedate_to_datetime(date.partition(":")[2]).timestamp()
            assert abs(told - time.time()) < 60
            writer.close()


@pytest.mark.parametrize("turns", range(5))
async def test_who_connects_as_the_server_stops_leaves_nothing_to_the_collector(turns: int) -> None:
    """Accepted and not yet a connection, it is one that is ended."""
    server = ApiServer(Waiting(), "127.0.0.1", 0)
    await server.start()
    visitors = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await server.stop()
    for visitor in visitors:
        visitor.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.to_thread(visitor.recv, 1) == b""
        visitor.close()
    gc.collect()  # a connection that is left is an error of this test
