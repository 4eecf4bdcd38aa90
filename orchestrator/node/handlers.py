"""What probes and hooks do to a process: requests, connections, commands.

Words of failures are those of the kubelet and of Go's network library, which people search for.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from actors import Clock
from orchestrator.egress import Call, explain_failure
from orchestrator.node.commands import run_command
from orchestrator.node.expansion import expand
from orchestrator.node.grpc_health import NoStatusError, ask_health
from orchestrator.node.probes import SUCCESS, Finding, Outcome
from orchestrator.node.runtime import Runtime
from orchestrator.node.sessions import CommandNotStartedError, SessionError
from orchestrator.node.states import ContainerState, PodState
from orchestrator.node.surroundings import Surroundings
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    import httpx

_BODY_LIMIT: Final = 10 * 1024
"""Bytes of an answer or of a command's output that are looked at."""
_PROBE_AGENT: Final = "kube-probe/1.35"
_REDIRECTS: Final = 10
_HOOK_LIMIT: Final = 24 * 3600.0
"""Seconds that a command of a hook gets, when neither a grace nor its container ends before."""
_CLOSED: Final = 400
"""The first status code that is a failure."""


class HandlerError(Exception):
    """A handler could not be carried out; the text says why."""


class _Answer(NamedTuple):
    status: int
    body: str
    location: str


async def exercise(
    around: Surroundings,
    state: PodState,
    container: ContainerState,
    probe: Object,
    timeout: float,
    clock: Clock,
) -> Finding:
    """Carry out one probing of a process, in ``timeout`` seconds once it is its turn.

    A node probes so many containers at the same time and no more.
    """
    spec = state.spec(container)
    async with around.probing:
        if action := probe.get("httpGet"):
            return await _probe_http(action, spec, state.address, timeout)
        if action := probe.get("tcpSocket"):
            return await _probe_tcp(action, spec, state.address, timeout)
        if action := probe.get("grpc"):
            return await _probe_grpc(action, state.address, timeout)
        if action := probe.get("exec"):
            command = command_of(action, spec)
            return await _probe_exec(around.runtime, container.id, command, timeout, clock)
    return Finding(Outcome.ERRORED, f"missing probe handler for {container.name}")


def port_of(given: int | str, container: Object) -> int:
    """Return a port by number, or by its name in the container.

    Raises:
        HandlerError: There is none of that name, or the number is none.
    """
    if isinstance(given, str):
        for port in container.get("ports") or ():
            if port.get("name") == given:
                return int(port["containerPort"])
        if not given.isdigit():  # the kubelet's last try is to read a number
            raise HandlerError(f'strconv.Atoi: parsing "{given}": invalid syntax')
        given = int(given)
    if not 0 < given < 1 << 16:
        raise HandlerError(f"invalid port number: {given}")
    return given


# -- HTTP


async def _probe_http(action: Object, spec: Object, address: str, timeout: float) -> Finding:
    url = ""
    try:
        url = _url(action, spec, address)
        async with asyncio.timeout(timeout):
            answer = await request(url, _headers(action, _PROBE_AGENT))
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Finding(Outcome.FAILURE, f'Get "{url}": {why}')
    except HandlerError as error:
        kind = Outcome.FAILURE if url else Outcome.ERRORED
        return Finding(kind, f'Get "{url}": {error}' if url else str(error))
    if answer.status >= _CLOSED:
        return Finding(Outcome.FAILURE, f"HTTP probe failed with statuscode: {answer.status}")
    if answer.status >= 300:
        text = f"Probe terminated redirects, Response body: {answer.body}"
        return Finding(Outcome.WARNING, text)
    return SUCCESS


def _url(action: Object, spec: Object, address: str) -> str:
    scheme = (action.get("scheme") or "HTTP").lower()
    host = action.get("host") or address
    path = action.get("path") or "/"
    if not path.startswith("/"):
        path = f"/{path}"
    return (
        f"{scheme}://{f'[{host}]' if ':' in host else host}:{port_of(action['port'], spec)}{path}"
    )


def _headers(action: Object, agent: str) -> list[tuple[str, str]]:
    """Return a request's headers: those of the action, and what they leave out of the usual."""
    given = [(item["name"], item.get("value") or "") for item in action.get("httpHeaders") or ()]
    names = {name.lower() for name, _ in given}
    usual = [("User-Agent", agent), ("Accept", "*/*"), ("Connection", "close")]
    left = [(name, value) for name, value in usual if name.lower() not in names]
    # An empty value takes a header away.
    return left + [(name, value) for name, value in given if value]


async def request(url: str, headers: list[tuple[str, str]]) -> _Answer:
    """GET; redirects are followed on the same host only, and certificates are not checked.

    Raises:
        HandlerError: No answer, with Go's words for why.
    """
    import httpx

    transport = httpx.AsyncHTTPTransport(
        verify=_unchecked(), limits=httpx.Limits(max_keepalive_connections=0)
    )
    first = httpx.URL(url)
    target = first
    try:
        async with transport:
            for _ in range(_REDIRECTS):
                answer = await _get(transport, target, headers)
                if not (300 <= answer.status < _CLOSED and answer.location):
                    return answer
                target = target.join(answer.location)
                if target.host != first.host or target.scheme not in ("http", "https"):
                    return answer
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise HandlerError(explain_failure(Call("GET", str(target)), error)) from error
    raise HandlerError(f"stopped after {_REDIRECTS} redirects")


async def _get(
    transport: httpx.AsyncHTTPTransport, url: httpx.URL, headers: list[tuple[str, str]]
) -> _Answer:
    import httpx

    answer = await transport.handle_async_request(httpx.Request("GET", url, headers=headers))
    try:
        body = b""
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) >= _BODY_LIMIT:
                break
    finally:
        await answer.aclose()
    location = answer.headers.get("location") or ""
    return _Answer(answer.status_code, body[:_BODY_LIMIT].decode(errors="replace"), location)


@cache
def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# -- connections


async def _probe_tcp(action: Object, spec: Object, address: str, timeout: float) -> Finding:
    host = action.get("host") or address
    try:
        port = port_of(action["port"], spec)
    except HandlerError as error:
        return Finding(Outcome.ERRORED, str(error))
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Finding(Outcome.FAILURE, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Finding(
            Outcome.FAILURE, explain_failure(Call("GET", f"http://{host}:{port}"), error)
        )
    writer.close()
    return SUCCESS


# -- gRPC


async def _probe_grpc(action: Object, host: str, timeout: float) -> Finding:
    port, within = int(action["port"]), f"{timeout:.15g}s"
    where = f'"{host}:{port}"'
    try:
        async with asyncio.timeout(timeout):
            status = await ask_health(host, port, action.get("service") or "", _PROBE_AGENT)
    except TimeoutError:
        return Finding(Outcome.FAILURE, f"timeout: health rpc did not complete within {within}")
    except OSError as error:
        why = explain_failure(Call("GET", f"http://{host}:{port}"), error)
        return Finding(Outcome.FAILURE, f"error: failed to connect service at {where}: {why}")
    except NoStatusError as error:
        return Finding(Outcome.FAILURE, f"error: health rpc probe failed: {error}")
    if status == "SERVING":
        return SUCCESS
    return Finding(Outcome.FAILURE, f'service unhealthy (responded with "{status}")')


# -- commands


async def _probe_exec(
    runtime: Runtime, container: str, command: tuple[str, ...], timeout: float, clock: Clock
) -> Finding:
    try:
        result = await run_command(
            runtime, container, command, clock=clock, seconds=timeout, limit=_BODY_LIMIT
        )
    except CommandNotStartedError as error:
        return Finding(Outcome.ERRORED, f"rpc error: code = Unknown desc = {error.in_full}")
    except SessionError as error:
        return Finding(Outcome.ERRORED, str(error))
    if result.exit_code is None:
        said = f'command timed out: "{" ".join(command)}" timed out after {timeout:.15g}s'
        return Finding(Outcome.FAILURE, said)
    if result.exit_code == 0:
        return SUCCESS
    return Finding(Outcome.FAILURE, result.output.decode(errors="replace"))


def command_of(action: Object, spec: Object) -> tuple[str, ...]:
    """Return an exec action's command; only variables whose values are written out are known."""
    known = {
        item["name"]: item.get("value") or ""
        for item in spec.get("env") or ()
        if not item.get("valueFrom")
    }
    return tuple(expand(word, known) for word in action.get("command") or ())


# -- hooks


async def run_hook(
    runtime: Runtime, state: PodState, container: ContainerState, action: Object, clock: Clock
) -> None:
    """Carry out a hook of a process; who waits for it decides how long.

    Raises:
        HandlerError: It failed.
        SessionError: Its command could not be run.
    """
    spec = state.spec(container)
    if given := action.get("httpGet"):
        # Any answer will do, as upstream has it.
        await request(_url(given, spec, state.address), _headers(given, "kube-lifecycle/1.35"))
    elif given := action.get("exec"):
        command = command_of(given, spec)
        result = await run_command(
            runtime, container.id, command, clock=clock, seconds=_HOOK_LIMIT, limit=_BODY_LIMIT
        )
        if result.exit_code != 0:
            said = result.output.decode(errors="replace")
            raise HandlerError(f"command {command} exited with {result.exit_code}: {said}")
    else:
        raise HandlerError("invalid handler")
