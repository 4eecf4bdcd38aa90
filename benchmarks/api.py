"""How fast the API answers over HTTP, beside bare uvicorn with a fixed body.

    python benchmarks/api.py [--json] [--tiny] [--granian]

Four processes: this one makes the load over raw sockets with keep-alive connections, one serves a
fixed body with the same loop, HTTP parser and settings, one serves the API over a store with the
durable log (SQLite, flushed at every commit: the daemon's default), one with the log in memory.
Short rounds of each alternate, so that a machine that changes its pace meets all of them; a ratio
is the median over rounds. Every answer's status is checked.

Pods are created as programs create them, from a template: alike but for the name. The rows
*unlike* are pods that each have a spec of their own, of which the API can remember nothing.
``--granian`` also measures granian's embedded server with the fixed body.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import orjson  # noqa: E402 - after the path, so that the script runs from anywhere
import uvloop  # noqa: E402 - as above

from benchmarks._report import Report, options, show  # noqa: E402 - as above

CONNECTIONS = 32
ROUND_DEADLINE = 120.0
"""Seconds one round may take before the run is given up."""

GET_TARGET, LIST_TARGET, CREATE_TARGET = 0.40, 0.25, 0.15
STATUS_TARGET, APPLY_TARGET = 0.12, 0.05

IMPORT_MS, START_MS = 250.0, 100.0
IMPORTS = {
    "import orchestrator": "import orchestrator",
    "import Cluster": "from orchestrator import Cluster",
}

LISTED = 500
"""Pods of a list."""

WRITTEN = 64
"""Objects that are patched and applied in turn."""


def pod(name: str) -> dict[str, Any]:
    """Make a pod of ordinary size."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web", "tier": "a"}},
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": "registry.example/web:1",
                    "command": ["web", "--port", "8080"],
                    "ports": [{"containerPort": 8080, "name": "http"}],
                    "env": [{"name": "COLOR", "value": "green"}],
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                }
            ]
        },
    }


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it has the whole answer."""

    def __init__(self, requests: Iterator[bytes], expected: bytes) -> None:
        self.requests = requests
        self.expected = expected
        self.answers = 0
        self.left = 0
        self.buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are not its subclasses
        self.ask()

    def ask(self) -> None:
        request = next(self.requests, None)
        if request is None:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(self.answers)
            return
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.left:
            self.left -= len(data)
        else:
            self.buffer += data
            head = self.buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            if not self.buffer[9:12].startswith(self.expected):
                self.done.set_exception(RuntimeError(self.buffer[:2000].decode(errors="replace")))
                self.transport.close()
                return
            at = self.buffer.find(b"content-length: ") + 16
            length = int(self.buffer[at : self.buffer.find(b"\r\n", at)])
            self.left = head + 4 + length - len(self.buffer)
            self.buffer = b""
        if self.left == 0:
            self.answers += 1
            self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed by the server"))


async def load(port: int, make: Callable[[int], bytes], expected: bytes, count: int) -> float:
    """Ask ``count`` times over all connections; return answers per second."""
    requests = (make(number) for number in range(count))
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    clients = []
    for _ in range(CONNECTIONS):
        _, client = await loop.create_connection(
            lambda: Client(requests, expected), "127.0.0.1", port
        )
        clients.append(client)
    async with asyncio.timeout(ROUND_DEADLINE):
        answers = sum([await client.done for client in clients])
    assert answers == count, f"{answers} answers to {count} requests"
    return count / (time.perf_counter() - begin)


def get_request(path: str) -> Callable[[int], bytes]:
    """Make the same GET every time."""
    data = (
        f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n"
        "user-agent: bench/1\r\n\r\n"
    ).encode()
    return lambda _: data


def status_request(path: str) -> Callable[[int], bytes]:
    """Make a merge patch of a pod's status that changes it each time."""

    def make(number: int) -> bytes:
        status = {"phase": "Running", "podIP": f"10.1.{number >> 8 & 255}.{number & 255}"}
        body = orjson.dumps({"status": status})
        return patch_head(
            f"{path}/written-{number % WRITTEN}/status", "application/merge-patch+json", body
        )

    return make


def apply_request(path: str, salt: str) -> Callable[[int], bytes]:
    """Make a server-side apply of a Deployment that changes it each time."""

    def make(number: int) -> bytes:
        name = f"written-{number % WRITTEN}"
        body = orjson.dumps(deployment(name, f"{salt}-{number}"))
        return patch_head(
            f"{path}/{name}?fieldManager=bench&force=true", "application/apply-patch+yaml", body
        )

    return make


def patch_head(path: str, content_type: str, body: bytes) -> bytes:
    """Frame a PATCH."""
    return (
        f"PATCH {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n"
        f"user-agent: bench/1\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body


def deployment(name: str, color: str) -> dict[str, Any]:
    """Make a Deployment of ordinary size."""
    labels = {"app": name}
    template = pod("x")
    template["spec"]["containers"][0]["env"][0]["value"] = color
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    }


def create_request(path: str, prefix: str, *, unlike: bool = False) -> Callable[[int], bytes]:
    """Make a POST of a pod with a new name each time; ``unlike``: with a new spec as well."""
    body = orjson.dumps(pod(f"{prefix}-000000"))
    if unlike:
        body = body.replace(b'"green"', b'"000000"')
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n"
        f"user-agent: bench/1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    return lambda number: head + body.replace(b"000000", b"%06d" % number)


# ---- the servers, each in a process of its own


async def serve_api(port: int, directory: str | None) -> None:
    """Serve the API over a store, without controllers."""
    import structlog

    from actors import ActorSystem
    from actors.log import MemoryLog, SqliteLog
    from orchestrator.api import ApiApplication, ApiServer
    from orchestrator.cli.collector import tune_collector
    from orchestrator.cli.switching import hasten_switches
    from orchestrator.resources.kinds import registry
    from orchestrator.store import Store

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(20))
    log = MemoryLog() if directory is None else await SqliteLog.open(Path(directory) / "log.db")
    async with ActorSystem("bench") as system:
        store = await Store.open(system, log, registry())
        await store.create(pod("web"), resource="pods", namespace="default")
        listed = {"metadata": {"name": "listed"}, "apiVersion": "v1", "kind": "Namespace"}
        await store.create(listed, resource="namespaces")
        for number in range(LISTED):
            one = pod(f"listed-{number}")
            one["metadata"]["namespace"] = "listed"
            await store.create(one, resource="pods", namespace="listed")
        for number in range(WRITTEN):
            await store.create(pod(f"written-{number}"), resource="pods", namespace="default")
        collector = tune_collector()  # as the daemon does
        hasten_switches()
        async with ApiServer(ApiApplication(store), "127.0.0.1", port) as server:
            await server.wait()
        collector.stop()


class Bare:
    """The least an ASGI application can do: read the body, answer a fixed one."""

    def __init__(self) -> None:
        metadata = {"uid": "0" * 36, "resourceVersion": "12345", "creationTimestamp": "x" * 20}
        obj = pod("web")
        # About what the store adds: defaults, status and field management.
        self.body = orjson.dumps({**obj, "metadata": obj["metadata"] | metadata, "pad": "x" * 1400})
        self.headers = self._headers(self.body)
        # A list is as long as so many pods.
        self.list = self.body * LISTED
        self.list_headers = self._headers(self.list)

    @staticmethod
    def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]

    def close(self) -> None:
        """Nothing to end."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, body, headers = 200, self.body, self.headers
        if scope["method"] == "POST":
            status = 201
            while (await receive()).get("more_body"):
                pass
        elif scope["path"] == "/list":
            body, headers = self.list, self.list_headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def serve_bare(port: int) -> None:
    """Serve the fixed body with the settings the API is served with."""
    from orchestrator.api import ApiServer

    async with ApiServer(Bare(), "127.0.0.1", port) as server:
        await server.wait()


async def serve_granian(port: int) -> None:
    """Serve the fixed body with granian's embedded server."""
    from granian.constants import Interfaces
    from granian.server.embed import Server

    await Server(
        Bare(), address="127.0.0.1", port=port, interface=Interfaces.ASGINL, log_enabled=False
    ).serve()


@contextlib.contextmanager
def process(kind: str, *more: str) -> Iterator[int]:
    """Run one server; yield its port once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    child = subprocess.Popen([sys.executable, __file__, "--serve", kind, str(port), *more])
    try:
        deadline = time.monotonic() + 20
        while True:
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the {kind} server did not come up")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def measure(ports: dict[str, int], rounds: int, count: int) -> dict[str, list[float]]:
    """Alternate rounds over the servers; return answers per second by what was asked."""
    pods = "/api/v1/namespaces/default/pods"
    get = get_request(f"{pods}/web")
    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        rates = {}
        for server in ports.keys() - {"memory"}:
            rates[f"{server} get"] = await load(ports[server], get, b"200", count)
        make = create_request(pods, f"r{number}")
        rates["bare create"] = await load(ports["bare"], make, b"201", count // 2)
        rates["create"] = await load(ports["api"], make, b"201", count // 4)
        rates["create, memory log"] = await load(ports["memory"], make, b"201", count // 4)
        make = create_request(pods, f"u{number}", unlike=True)
        rates["create, unlike"] = await load(ports["api"], make, b"201", count // 8)
        rates["bare list"] = await load(ports["bare"], get_request("/list"), b"200", count // 8)
        make = get_request("/api/v1/namespaces/listed/pods")
        rates["list of 500"] = await load(ports["api"], make, b"200", count // 16)
        rates["status patch"] = await load(ports["api"], status_request(pods), b"200", count // 8)
        deployments = "/apis/apps/v1/namespaces/default/deployments"
        make = apply_request(deployments, f"warm{number}")
        await load(ports["api"], make, b"20", WRITTEN)  # the first time creates them
        make = apply_request(deployments, f"r{number}")
        rates["apply"] = await load(ports["api"], make, b"200", count // 16)
        if number:  # the first round warms up
            for name, rate in rates.items():
                found.setdefault(name, []).append(rate)
    return found


def start_times(count: int) -> dict[str, float]:
    """Start the server in fresh processes; return the median milliseconds by step."""
    found: dict[str, list[float]] = {}
    for _ in range(count):
        done = subprocess.run(
            [sys.executable, __file__, "--serve", "start", "0"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        for name, value in orjson.loads(done.stdout).items():
            found.setdefault(name, []).append(value)
        for name, statement in IMPORTS.items():
            found.setdefault(name, []).append(import_time(statement))
    return {name: statistics.median(values) for name, values in found.items()}


def import_time(statement: str) -> float:
    """Run an import in a fresh interpreter; return its milliseconds."""
    program = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    )
    return float(done.stdout) * 1e3


def start_once() -> None:
    """Import, open a store in memory and listen; print the milliseconds of the last two."""
    from actors import ActorSystem
    from actors.log import MemoryLog
    from orchestrator.api import ApiApplication, ApiServer
    from orchestrator.resources.kinds import registry
    from orchestrator.store import Store

    async def start() -> None:
        loaded = time.perf_counter()
        async with ActorSystem("bench") as system:
            store = await Store.open(system, MemoryLog(), registry())
            async with ApiServer(ApiApplication(store), "127.0.0.1", 0):
                ready = time.perf_counter()
        sys.stdout.write(orjson.dumps({"start": (ready - loaded) * 1e3}).decode())

    uvloop.run(start())


def ratio(found: dict[str, list[float]], of: str, to: str) -> float:
    """The median over rounds of one rate in parts of another."""
    return statistics.median(a / b for a, b in zip(found[of], found[to], strict=True))


def main() -> int:
    """Run the benchmark."""
    if sys.argv[1:2] == ["--serve"]:
        kind, port = sys.argv[2], int(sys.argv[3])
        if kind == "start":
            start_once()
            return 0
        if kind == "api":
            uvloop.run(serve_api(port, sys.argv[4] if len(sys.argv) > 4 else None))
        else:
            uvloop.run({"bare": serve_bare, "granian": serve_granian}[kind](port))
        return 0
    parser = options("API over HTTP beside bare uvicorn")
    parser.add_argument("--granian", action="store_true", help="also measure granian, fixed body")
    arguments = parser.parse_args()
    rounds, count = (1, 400) if arguments.tiny else (5, 8000)
    report = Report(benchmark="api", seed=arguments.seed, tiny=arguments.tiny)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        ports = {
            "bare": stack.enter_context(process("bare")),
            "api": stack.enter_context(process("api", directory)),
            "memory": stack.enter_context(process("api")),
        }
        if arguments.granian:
            ports["granian"] = stack.enter_context(process("granian"))
        found = uvloop.run(measure(ports, rounds, count))
    for name, rates in found.items():
        report.add(name, statistics.median(rates), "answers/s")
    for name, of, target, note in (
        ("get / bare", "api get", GET_TARGET, ""),
        ("create / bare", "create", CREATE_TARGET, "durable log; bare is a GET here too"),
        ("create, memory log / bare", "create, memory log", CREATE_TARGET, ""),
        ("create, unlike / bare", "create, unlike", None, "durable log"),
        ("status patch / bare", "status patch", STATUS_TARGET, "durable log"),
        ("apply / bare", "apply", APPLY_TARGET, "durable log; a Deployment that changes"),
    ):
        report.add(name, ratio(found, of, "bare get"), "of bare uvicorn", target=target, note=note)
    report.add(
        "list of 500 / bare list",
        ratio(found, "list of 500", "bare list"),
        "of bare uvicorn",
        target=LIST_TARGET,
        note="a body of about the same size",
    )
    times = start_times(1 if arguments.tiny else 7)
    for name, target in (("import orchestrator", IMPORT_MS), ("import Cluster", None)):
        report.add(name, times[name], "ms", target=target, at_least=False)
    report.add(
        "server start",
        times["start"],
        "ms",
        target=START_MS,
        at_least=False,
        note="after its imports: store in memory, listening",
    )
    report.add("create / bare create", ratio(found, "create", "bare create"), "of bare POST")
    show(report, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
