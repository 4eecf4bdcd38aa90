"""What a Service costs: requests, connections and bytes through its actor, beside going direct.

    python benchmarks/network.py [--json] [--tiny] [--seed N]

The endpoint, the Service and the client are three processes, on loopback. The same client asks the
endpoint directly first and through the Service next, so that the ratio is of one run. Every answer
is read to its last byte before it counts.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors import ActorSystem
from benchmarks._report import Report, options, show
from orchestrator.network import (
    Endpoint,
    GetStatistics,
    Listener,
    ServiceActor,
    ServicePlan,
    ServiceStatistics,
)

ENDPOINT = "127.215.0.1"
SERVICE = "127.215.1.1"
ANSWER = 1024
"""Bytes of a small answer."""
CHUNK = 256 * 1024
PATIENCE = 60.0
"""Seconds after which a measurement is given up."""


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve lines: each holds the number of bytes that the client wants."""
    chunk = b"x" * CHUNK
    try:
        while line := await reader.readline():
            left = int(line)
            while left > 0:
                writer.write(chunk[:left])
                left -= CHUNK
                await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def run_endpoint() -> None:
    """Be the endpoint until stdin closes."""
    server = await asyncio.start_server(answer, ENDPOINT, 0, limit=CHUNK)
    await _serve(server.sockets[0].getsockname()[1])
    server.close()


async def run_service(port: int) -> None:
    """Be a Service in front of the endpoint's ``port`` until stdin closes."""
    plan = ServicePlan((Listener(SERVICE, port, ""),), {"": (Endpoint(ENDPOINT, port),)}, 0)

    def report(listener: Listener, error: OSError) -> None:
        sys.exit(f"cannot listen on {listener.address}:{listener.port}: {error}")

    async with ActorSystem("benchmark", seed=1) as system:
        ref = system.spawn(lambda: ServiceActor(report, lambda: plan), "service")
        statistics = await ref.ask(GetStatistics())
        assert isinstance(statistics, ServiceStatistics)
        assert statistics.listening == plan.listeners
        await _serve(port)


async def _serve(port: int) -> None:
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def process(*arguments: str) -> Iterator[int]:
    """Run this file in another role; yields its port."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
            if not line:
                raise RuntimeError(f"the {arguments[1]} process ended before it listened")
            yield int(line)
        finally:
            child.stdin.close()
            child.wait(timeout=PATIENCE)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    """Ask for so many bytes and read them all."""
    writer.write(b"%d\n" % size)
    left = size
    while left > 0:
        data = await reader.read(CHUNK)
        if not data:
            raise ConnectionError(f"the answer ended {left} bytes early")
        left -= len(data)


async def measure_requests(address: str, port: int, clients: int, count: int) -> float:
    """Return small requests per second over ``clients`` connections that stay open."""
    streams = [await asyncio.open_connection(address, port) for _ in range(clients)]

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(count // clients):
            await ask(reader, writer, ANSWER)

    begin = time.perf_counter()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for reader, writer in streams:
            group.create_task(work(reader, writer))
    seconds = time.perf_counter() - begin
    for _, writer in streams:
        writer.close()
    return count // clients * clients / seconds


async def measure_connections(address: str, port: int, count: int) -> float:
    """Return connections per second, each opened, asked once and closed, eight at a time."""

    async def work() -> None:
        for _ in range(count // 8):
            reader, writer = await asyncio.open_connection(address, port)
            await ask(reader, writer, ANSWER)
            writer.close()

    begin = time.perf_counter()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(work())
    return count // 8 * 8 / (time.perf_counter() - begin)


async def measure_bytes(address: str, port: int, size: int) -> float:
    """Return megabytes per second of one large answer."""
    reader, writer = await asyncio.open_connection(address, port, limit=2 * CHUNK)
    begin = time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        await ask(reader, writer, size)
    seconds = time.perf_counter() - begin
    writer.close()
    return size / seconds / 1e6


async def measure(report: Report, port: int, scale: int) -> None:
    """Fill the report: each figure direct, then through the Service."""
    measurements: tuple[tuple[str, str, Callable[[str], Awaitable[float]]], ...] = (
        ("requests", "1/s", lambda at: measure_requests(at, port, 16, 320 * scale)),
        ("connections", "1/s", lambda at: measure_connections(at, port, 64 * scale)),
        ("one large answer", "MB/s", lambda at: measure_bytes(at, port, 4_000_000 * scale)),
    )
    places = {"direct": ENDPOINT, "through the Service": SERVICE}
    for name, unit, work in measurements:
        figures = []
        for place, address in places.items():
            figures.append(await work(address))
            report.add(f"{name}, {place}", figures[-1], unit)
        report.add(f"{name}, share of direct", 100 * figures[1] / figures[0], "%")


def main() -> None:
    """Run the benchmark, or one of its other two roles."""
    parser = options(__doc__ or "")
    parser.add_argument("--role", choices=["client", "endpoint", "service"], default="client")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.role == "endpoint":
        asyncio.run(run_endpoint())
    elif arguments.role == "service":
        asyncio.run(run_service(arguments.port))
    else:
        report = Report(benchmark="network", seed=arguments.seed, tiny=arguments.tiny)
        with (
            process("--role", "endpoint") as port,
            process("--role", "service", "--port", str(port)),
        ):
            asyncio.run(measure(report, port, 1 if arguments.tiny else 100))
        show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
