"""What probes do to processes: real requests and connections, in the kubelet's words.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from actors import RealClock
from orchestrator.node.handlers import (
    HandlerError,
    command_of,
    exercise,
    port_of,
    run_hook,
)
from orchestrator.node.probes import Finding, Outcome
from orchestrator.node.sessions import CommandNotStartedError, ExecRequest, Session
from orchestrator.node.states import PodState, containers_of

HOST = "127.0.0.1"


class Server:
    """Answers requests by their path, and keeps them."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.requests: list[str] = []
        self.port = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        request = (await reader.read(4096)).decode()
        if not request:  # a mere connection
            writer.close()
            return
        self.requests.append(request)
        answer = self.answers[request.split()[1]]
        if answer == "hang":
            await reader.read()
        else:
            writer.write(answer.replace("PORT", str(self.port)).encode())
        writer.close()


@asynccontextmanager
async def serving(**answers: str) -> AsyncIterator[Server]:
    """Serve on a port of its own."""
    made = Server({f"/{path}": answer for path, answer in answers.items()})
    server = await asyncio.start_server(made.serve, HOST, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await asyncio.sleep(0)
        await asyncio.gather(*made.tasks)


def answer(status: int, body: str = "", location: str = "") -> str:
    """An HTTP answer."""
    where = f"Location: {location}\r\n" if location else ""
    return f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{where}\r\n{body}"


def state(**container: Any) -> PodState:
    """A pod of one container on this machine's address."""
    spec = {"containers": [{"name": "c", **container}]}
    pod = {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec}
    return PodState(pod, containers_of(spec), HOST, "r", 0.0, address=HOST)


async def probe(timeout: float = 2.0, ports: Any = (), **action: Any) -> Finding:
    """Probe once."""
    one = state(ports=list(ports))
    around: Any = SimpleNamespace(probing=asyncio.Semaphore(1))
    return await exercise(around, one, one.containers[0], action, timeout, RealClock())


async def test_a_request_is_judged_by_its_status() -> None:
    """From 200 to 399 is good; the words of a failure do not give away the body."""
    async with serving(ok=answer(200), created=answer(299), bad=answer(500, "secret")) as server:
        port = server.port
        assert (await probe(httpGet={"path": "/ok", "port": port})).outcome is Outcome.SUCCESS
        assert (await probe(httpGet={"path": "created", "port": port})).outcome is Outcome.SUCCESS
        found = await probe(httpGet={"path": "/bad", "port": port})
        assert found == (Outcome.FAILURE, "HTTP probe failed with statuscode: 500")


async def test_redirects_are_followed_on_the_same_host_only() -> None:
    """One that leads elsewhere is a success with a warning, one in a circle a failure."""
    elsewhere = answer(302, "Found", "http://127.0.0.9:1/")
    async with serving(
        a=answer(301, location="/b"),
        b=answer(200),
        c=elsewhere,
        d=answer(302, location="/d"),
        e=answer(307, location="/bad"),
        bad=answer(404),
    ) as server:
        port = server.port
        assert (await probe(httpGet={"path": "/a", "port": port})).outcome is Outcome.SUCCESS
        assert await probe(httpGet={"path": "/c", "port": port}) == (
            Outcome.WARNING,
            "Probe terminated redirects, Response body: Found",
        )
        found = await probe(httpGet={"path": "/d", "port": port})
        url = f"http://{HOST}:{port}/d"
        assert found == (Outcome.FAILURE, f'Get "{url}": stopped after 10 redirects')
        found = await probe(httpGet={"path": "/e", "port": port})
        assert found.text == "HTTP probe failed with statuscode: 404"


async def test_a_request_carries_the_probes_headers() -> None:
    """And the usual ones where those do not replace them; ``Host`` too."""
    async with serving(ok=answer(200)) as server:
        headers = [
            {"name": "Host", "value": "example.com"},
            {"name": "X-Twice", "value": "1"},
            {"name": "X-Twice", "value": "2"},
            {"name": "accept", "value": ""},
        ]
        action = {"path": "/ok", "port": "web", "httpHeaders": headers}
        await probe(httpGet=action, ports=[{"name": "web", "containerPort": server.port}])
        lines = server.requests[0].splitlines()
        assert lines[0] == "GET /ok HTTP/1.1"
        assert "Host: example.com" in lines
        assert "User-Agent: kube-probe/1.35" in lines
        assert [line for line in lines if line.startswith("X-Twice")] == [
            "X-Twice: 1",
            "X-Twice: 2",
        ]
        assert not [line for line in lines if line.lower().startswith("accept")]


async def test_no_answer_is_a_failure_with_the_reason(unused_tcp_port: int) -> None:
    """In the words of Go's network library."""
    port = unused_tcp_port
    refused = f"dial tcp {HOST}:{port}: connect: connection refused"
    found = await probe(httpGet={"path": "/x", "port": port})
    assert found == (Outcome.FAILURE, f'Get "http://{HOST}:{port}/x": {refused}')
    assert await probe(tcpSocket={"port": port}) == (Outcome.FAILURE, refused)
    async with serving(x="hang") as server:
        found = await probe(0.1, httpGet={"path": "/x", "port": server.port})
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        assert found == (Outcome.FAILURE, f'Get "http://{HOST}:{server.port}/x": {why}')
        assert (await probe(tcpSocket={"port": server.port})).outcome is Outcome.SUCCESS


class Health:
    """As much of a gRPC server as one call needs; what real ones send besides is in between."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.request = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        writer.write(frame(4, 0, 0) + frame(8, 0, 0, b"\0\0\0\1") + frame(6, 0, 0, b"pingpong"))
        kinds: list[tuple[int, int]] = []
        while kinds[-1:] != [(0, 1)]:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3]))
            kinds.append((head[3], head[4]))
            if head[3] == 0:
                self.request = payload
        writer.write(self.answer)
        if self.answer:
            await reader.read()
        writer.close()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    head = len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4)
    return head + payload


def health(*message: int) -> bytes:
    """Headers, a message, and trailers."""
    body = bytes([0, 0, 0, 0, len(message), *message])
    return frame(1, 4, 1, b"\x88") + frame(0, 0, 1, body) + frame(1, 5, 1, b"\x88")


@pytest.mark.parametrize(
    ("answer", "service", "expected"),
    [
        (health(8, 1), "", (Outcome.SUCCESS, "")),
        (health(8, 1), "db", (Outcome.SUCCESS, "")),
        (health(8, 2), "", (Outcome.FAILURE, 'service unhealthy (responded with "NOT_SERVING")')),
        (health(), "", (Outcome.FAILURE, 'service unhealthy (responded with "UNKNOWN")')),
        (
            frame(1, 5, 1, b"\x88"),  # trailers only: an error
            "",
            (Outcome.FAILURE, "error: health rpc probe failed: the server answered no health"),
        ),
        (
            b"",
            "",
            (
                Outcome.FAILURE,
                "error: health rpc probe failed: the connection was closed before an answer",
            ),
        ),
    ],
)
async def test_a_server_is_asked_for_its_health_by_grpc(
    answer: bytes, service: str, expected: tuple[Outcome, str]
) -> None:
    """For one service's, if the probe names one."""
    made = Health(answer)
    server = await asyncio.start_server(made.serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    assert await probe(grpc={"port": port, "service": service}) == expected
    body = b"\x0a\x02db" if service else b""
    assert made.request == bytes([0, 0, 0, 0, len(body)]) + body
    server.close()
    await asyncio.sleep(0.01)


async def test_a_grpc_server_that_is_not_there_has_failed(unused_tcp_port: int) -> None:
    """In upstream's words."""
    port = unused_tcp_port
    where = f"{HOST}:{port}"
    refused = f'error: failed to connect service at "{where}": dial tcp {where}: connect: '
    found = await probe(grpc={"port": port})
    assert found == (Outcome.FAILURE, f"{refused}connection refused")


async def test_a_grpc_server_that_does_not_answer_in_time_has_failed() -> None:
    """After ``timeoutSeconds``."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass
        writer.close()

    server = await asyncio.start_server(accept, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    found = await probe(0.1, grpc={"port": port})
    assert found == (Outcome.FAILURE, "timeout: health rpc did not complete within 0.1s")
    server.close()
    await asyncio.sleep(0.01)


async def test_a_program_that_is_not_there_is_an_error_in_the_runtimes_words() -> None:
    """As a kubelet passes it on; it counts neither as a success nor as a failure."""

    async def execute(_container: str, request: ExecRequest) -> Session:
        (name,) = request.command
        raise CommandNotStartedError(f'exec: "{name}": executable file not found in $PATH')

    one = state()
    runtime = SimpleNamespace(execute=execute)
    around: Any = SimpleNamespace(probing=asyncio.Semaphore(1), runtime=runtime)
    action = {"exec": {"command": ["nope"]}}
    found = await exercise(around, one, one.containers[0], action, 1.0, RealClock())
    text = (
        "rpc error: code = Unknown desc = failed to exec in container: failed to start exec: OCI "
        "runtime exec failed: exec failed: unable to start container process: "
        'exec: "nope": executable file not found in $PATH: unknown'
    )
    assert found == (Outcome.ERRORED, text)


@pytest.mark.parametrize("action", ["httpGet", "tcpSocket"])
async def test_a_port_that_is_not_there_is_an_error(action: str) -> None:
    """Which counts neither as a success nor as a failure."""
    given: Any = {action: {"port": "nope"}}
    found = await probe(**given)
    assert found == (Outcome.ERRORED, 'strconv.Atoi: parsing "nope": invalid syntax')


def test_ports_are_found_by_name_or_number() -> None:
    """A number may be written as a string."""
    container = {"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}
    assert [port_of(given, container) for given in ("web", "81", 82)] == [8080, 81, 82]
    with pytest.raises(HandlerError, match="invalid port number: 0"):
        port_of(0, container)


async def test_a_request_of_a_hook_takes_any_answer(unused_tcp_port: int) -> None:
    """Only none at all is a failure, as upstream has it."""
    one = state()
    runtime: Any = None  # which no request needs
    async with serving(bad=answer(500)) as server:
        action = {"httpGet": {"path": "/bad", "port": server.port}}
        await run_hook(runtime, one, one.containers[0], action, RealClock())
        assert "User-Agent: kube-lifecycle/1.35" in server.requests[0]
    action = {"httpGet": {"port": unused_tcp_port}}
    with pytest.raises(HandlerError, match="connection refused"):
        await run_hook(runtime, one, one.containers[0], action, RealClock())


def test_commands_know_only_variables_that_are_written_out() -> None:
    """The kubelet expands them without looking into ConfigMaps or the node."""
    env = [{"name": "A", "value": "x"}, {"name": "B", "valueFrom": {"fieldRef": {}}}]
    action = {"command": ["echo", "$(A) $(B) $$(A)"]}
    assert command_of(action, {"env": env}) == ("echo", "x $(B) $(A)")
