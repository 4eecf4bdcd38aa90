"""How many watchers are told of how many writes, and how soon.

    python benchmarks/watch.py [--json] [--tiny] [--slow] [--http]

Two processes share the machine: one serves the API over a store and writes to it at a steady rate,
this one holds all watch connections (raw sockets, HTTP/1.1 chunks) and checks that each of them got
every event. The written object carries the moment at which it was proposed (the system's monotonic
clock, the same in both processes), so a latency is the time from before the write to the arrival of
the whole event at a watcher: commit, fan-out and the way through two sockets.

``--slow`` adds watchers that never read: they must cost nobody anything. ``--http`` also measures
with writes that come over HTTP, as merge patches from this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import uvloop  # noqa: E402 - after the path, so that the script runs from anywhere

from benchmarks._report import Report, options, percentile, show  # noqa: E402 - as above
from benchmarks.api import pod  # noqa: E402 - as above

DEADLINE = 120.0
"""Seconds one scenario may take before the run is given up."""

TARGET = 0.250
"""Seconds that 99 of 100 deliveries may take."""

PODS = 100
"""Objects that are written to in turn."""

WRITERS = 16
"""Connections that write, where writes come over HTTP."""

TICK = 0.005
"""Seconds between the writer's batches."""

MARK = b'"bench/at":"'
EVENT = b'{"type":"MODIFIED"'


class Watcher(asyncio.Protocol):
    """One watch connection that counts what it is sent.

    Attributes:
        arrivals: When how many whole events had arrived in all.
        moments: When each event was proposed; only where asked for, since it takes parsing.
    """

    def __init__(self, request: bytes, expected: int, *, reads_moments: bool) -> None:
        self.request = request
        self.expected = expected
        self.arrivals: list[tuple[float, int]] = []
        self.moments: list[float] | None = [] if reads_moments else None
        self.events = 0
        self.tail = b""
        self.started = asyncio.get_running_loop().create_future()
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self.started.done():
            if b" 200 " not in data[:20]:
                self.started.set_exception(RuntimeError(data[:1000].decode(errors="replace")))
                return
            self.started.set_result(None)
        if self.tail:
            data = self.tail + data
        # An event is whole with its line, so the last line is kept until it is.
        end = data.rfind(b"\n") + 1
        whole, self.tail = data[:end], data[end:]
        count = whole.count(EVENT)
        if not count:
            return
        self.events += count
        self.arrivals.append((now, self.events))
        if self.moments is not None:
            self._read_moments(whole)
        if self.events >= self.expected and not self.done.done():
            self.done.set_result(None)

    def _read_moments(self, whole: bytes) -> None:
        assert self.moments is not None
        at = whole.find(MARK)
        while at >= 0:
            at += len(MARK)
            end = whole.index(b'"', at)
            self.moments.append(float(whole[at:end]))
            at = whole.find(MARK, end)

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.started, self.done):
            if not future.done():
                future.set_exception(error or ConnectionError("closed by the server"))


def watch_request(query: str = "", accept: str = "application/json") -> bytes:
    """Make the request of a watch from now on."""
    return (
        f"GET /api/v1/pods?watch=1{query} HTTP/1.1\r\nhost: localhost\r\n"
        f"accept: {accept}\r\nuser-agent: bench/1\r\n\r\n"
    ).encode()


class Writer(asyncio.Protocol):
    """One connection that patches; each request waits for the answer to the one before."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        # It may come behind the end of the answer before.
        at = data.find(b"HTTP/1.1 ")
        if at >= 0:
            assert data[at + 9 : at + 12] == b"200", data[at : at + 500]
            self.answered.set()

    async def patch(self, number: int) -> None:
        """Change one pod."""
        self.answered.clear()
        body = b'{"metadata":{"annotations":{"bench/at":"%b"}}}' % repr(time.monotonic()).encode()
        self.transport.write(
            b"PATCH /api/v1/namespaces/default/pods/web-%d?fieldManager=bench HTTP/1.1\r\n"
            b"host: localhost\r\ncontent-type: application/merge-patch+json\r\n"
            b"content-length: %d\r\n\r\n%b" % (number % PODS, len(body), body)
        )
        await self.answered.wait()


async def write_over_http(port: int, rate: int, count: int) -> None:
    """Patch pods in turn at a steady rate over some connections."""
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[Writer] = asyncio.Queue()
    for _ in range(WRITERS):
        _, writer = await loop.create_connection(Writer, "127.0.0.1", port)
        free.put_nowait(writer)
    begin = loop.time()

    async def one(writer: Writer, number: int) -> None:
        await writer.patch(number)
        free.put_nowait(writer)

    tasks = set()
    for number in range(count):
        await asyncio.sleep(max(0.0, begin + number / rate - loop.time()))
        task = asyncio.create_task(one(await free.get(), number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)


async def scenario(
    port: int,
    control: asyncio.StreamWriter | None,
    watchers: int,
    rate: int,
    seconds: float,
    slow: int,
) -> tuple[float, float, float, float]:
    """Run one scenario; returns p50, p99, the largest latency in seconds, and the rate of writes.

    Args:
        port: Where the server listens.
        control: Tells the server's own writer what to do; None writes over HTTP.
        watchers: Connections that read.
        rate: Writes a second.
        seconds: How long.
        slow: Connections that do not read.
    """
    loop = asyncio.get_running_loop()
    count = int(rate * seconds)
    request = watch_request("&sendInitialEvents=false&resourceVersionMatch=NotOlderThan")
    made: list[Watcher] = []
    stuck = []
    for _ in range(slow):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(request)
        stuck.append(connection)
    for number in range(watchers):
        _, watcher = await loop.create_connection(
            lambda first=number == 0: Watcher(request, count, reads_moments=first),  # type: ignore[misc]  # mypy takes the default for no argument
            "127.0.0.1",
            port,
        )
        made.append(watcher)
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(watcher.started for watcher in made))
        if control is None:
            await write_over_http(port, rate, count)
        else:
            control.write(f"{rate} {count}\n".encode())
        await asyncio.gather(*(watcher.done for watcher in made))
    assert all(watcher.events == count for watcher in made), "an event was lost or came twice"
    moments = made[0].moments
    assert moments is not None
    assert len(moments) == count
    latencies: list[float] = []
    for watcher in made:
        seen = 0
        for when, total in watcher.arrivals:
            latencies += [when - moment for moment in moments[seen:total]]
            seen = total
        watcher.transport.abort()
    for connection in stuck:
        connection.close()
    written = (count - 1) / (moments[-1] - moments[0])
    return percentile(latencies, 0.5), percentile(latencies, 0.99), max(latencies), written


# ---- the server, in a process of its own


async def serve(port: int, control: int, directory: str) -> None:
    """Serve the API over a store with the durable log, and write as the other process says."""
    import structlog

    from actors import ActorSystem
    from actors.log import SqliteLog
    from orchestrator.api import ApiApplication, ApiServer
    from orchestrator.cli.collector import tune_collector
    from orchestrator.cli.switching import hasten_switches
    from orchestrator.resources.kinds import registry
    from orchestrator.store import Store

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(20))
    log = await SqliteLog.open(Path(directory) / "log.db")
    async with ActorSystem("bench") as system:
        store = await Store.open(system, log, registry())
        for number in range(PODS):
            await store.create(pod(f"web-{number}"), resource="pods", namespace="default")
        collector = tune_collector()  # as the daemon does
        hasten_switches()
        async with ApiServer(ApiApplication(store), "127.0.0.1", port):
            reader, _ = await asyncio.open_connection("127.0.0.1", control)
            while line := await reader.readline():
                rate, count = map(int, line.split())
                await write(store, rate, count)
        collector.stop()


async def write(store: Any, rate: int, count: int) -> None:
    """Change pods in turn at a steady rate, in small batches as controllers do."""
    from orchestrator.store.operations import Modify

    loop = asyncio.get_running_loop()

    def change(current: Any) -> Any:
        status = {**current["status"], "message": "x" * 20}
        moment = {"bench/at": repr(time.monotonic())}
        metadata = {**current["metadata"], "annotations": moment}
        return {**current, "metadata": metadata, "status": status}

    begin = loop.time()
    done = 0
    pending: set[asyncio.Task[Any]] = set()
    while done < count:
        due = min(count, int((loop.time() - begin) * rate) + 1)
        batch = [
            Modify("pods", "default", f"web-{number % PODS}", change, "*")
            for number in range(done, due)
        ]
        done = due
        if batch:
            task = asyncio.create_task(store.write(batch))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.sleep(TICK)
    await asyncio.gather(*pending)


@contextlib.contextmanager
def server(control: int, directory: str) -> Iterator[int]:
    """Run the server; yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    child = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(port), str(control), directory]
    )
    try:
        yield port
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def measure(
    report: Report, scenarios: list[tuple[int, int, float, int]], *, http: bool = False
) -> None:
    """Run the scenarios one after the other against one server."""
    connected: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set_result(writer)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    control = listening.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as directory, server(control, directory) as port:
        writer = await asyncio.wait_for(connected, 20)
        for watchers, rate, seconds, slow in scenarios:
            p50, p99, worst, written = await scenario(
                port, None if http else writer, watchers, rate, seconds, slow
            )
            name = f"{watchers} watchers, {rate} {'HTTP ' if http else ''}writes/s"
            if slow:
                name += f", {slow} that never read"
            report.add(f"{name}: p50", p50 * 1000, "ms")
            report.add(
                f"{name}: p99",
                p99 * 1000,
                "ms",
                target=TARGET * 1000,
                at_least=False,
                note=f"every event at every watcher; worst {worst * 1000:.0f} ms; written at "
                f"{written:.0f}/s",
            )
        writer.close()
    listening.close()


def main() -> int:
    """Run the benchmark."""
    if sys.argv[1:2] == ["--serve"]:
        uvloop.run(serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
        return 0
    parser = options("watch fan-out over HTTP")
    parser.add_argument("--slow", action="store_true", help="also with watchers that never read")
    parser.add_argument("--http", action="store_true", help="also with writes over HTTP")
    arguments = parser.parse_args()
    scenarios = [(1000, 200, 10.0, 0), (50, 2000, 10.0, 0)]
    if arguments.slow:
        scenarios.append((500, 200, 10.0, 100))
    if arguments.tiny:
        scenarios = [(20, 50, 0.5, 2)]
    report = Report(benchmark="watch", seed=arguments.seed, tiny=arguments.tiny)
    uvloop.run(measure(report, scenarios))
    if arguments.http:
        uvloop.run(measure(report, scenarios[:2], http=True))
    show(report, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
