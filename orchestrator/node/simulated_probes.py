"""Probes of simulated containers that functions answer: commands, connections, requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, TypeVar

from actors import Clock
from orchestrator.node.commands import run_command
from orchestrator.node.handlers import HandlerError, command_of, port_of
from orchestrator.node.probes import SUCCESS, Finding, Outcome
from orchestrator.node.sessions import PortConnection, SessionError
from orchestrator.node.states import ContainerState, PodState
from orchestrator.node.surroundings import Surroundings
from orchestrator.resources.objects import Object, status_of

_Result = TypeVar("_Result")
_BODY_LIMIT: Final = 10 * 1024
_HEAD_LIMIT: Final = 64 * 1024


async def exercise(
    around: Surroundings,
    state: PodState,
    container: ContainerState,
    probe: Object,
    timeout: float,
    clock: Clock,
) -> Finding:
    """Carry out one probing, in ``timeout`` seconds of the cluster's time."""
    spec = state.spec(container)
    if action := probe.get("exec"):
        command = command_of(action, spec)
        try:
            result = await run_command(
                around.runtime, container.id, command, clock=clock, seconds=timeout
            )
        except SessionError as error:
            return Finding(Outcome.ERRORED, str(error))
        if result.exit_code is None:
            said = f'command timed out: "{" ".join(command)}" timed out after {timeout:.15g}s'
            return Finding(Outcome.FAILURE, said)
        if result.exit_code == 0:
            return SUCCESS
        return Finding(Outcome.FAILURE, result.output.decode(errors="replace"))
    action = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}
    try:
        port = port_of(action.get("port") or 0, spec)
    except HandlerError as error:
        return Finding(Outcome.ERRORED, str(error))
    host = action.get("host") or state.address
    if "httpGet" not in probe:
        work = _connect(around, state, port)
        late = f"dial tcp {host}:{port}: i/o timeout"
        return await within(clock, timeout, work) or Finding(Outcome.FAILURE, late)
    scheme = (action.get("scheme") or "HTTP").lower()
    path = action.get("path") or "/"
    path = path if path.startswith("/") else f"/{path}"
    url = f"{scheme}://{host}:{port}{path}"
    why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    found = await within(clock, timeout, _get(around, state, action, port, path, url))
    return found or Finding(Outcome.FAILURE, f'Get "{url}": {why}')


async def within(
    clock: Clock, seconds: float, work: Coroutine[Any, Any, _Result]
) -> _Result | None:
    """Do something in so many seconds of a clock; None when they did not do."""
    task = asyncio.get_running_loop().create_task(work)
    alarm = clock.call_later(seconds, _cancel, task)
    try:
        await asyncio.wait((task,))
    finally:
        alarm.cancel()
        task.cancel()
    return None if task.cancelled() else task.result()


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()


def _dial(around: Surroundings, state: PodState, port: int) -> Awaitable[PortConnection]:
    status = {**status_of(state.pod), "podIP": state.address}  # which may not be told yet
    return around.runtime.connect({**state.pod, "status": status}, port)


async def _connect(around: Surroundings, state: PodState, port: int) -> Finding:
    try:
        connection = await _dial(around, state, port)
    except SessionError as error:
        return Finding(Outcome.FAILURE, str(error))
    await connection.close()
    return SUCCESS


async def _get(
    around: Surroundings, state: PodState, action: Object, port: int, path: str, url: str
) -> Finding:
    try:
        connection = await _dial(around, state, port)
    except SessionError as error:
        return Finding(Outcome.FAILURE, f'Get "{url}": {error}')
    given = {item["name"]: item.get("value") or "" for item in action.get("httpHeaders") or ()}
    usual = {"Host": f"{state.address}:{port}", "User-Agent": "kube-probe/1.35", "Accept": "*/*"}
    headers = {**usual, **given, "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    try:
        await connection.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer and len(answer) < _HEAD_LIMIT:
            piece = await connection.read()
            if not piece:
                break
            answer += piece
    except SessionError as error:
        return Finding(Outcome.FAILURE, f'Get "{url}": {error}')
    finally:
        await connection.close()
    status = answer.partition(b"\r\n")[0].split(b" ")
    if len(status) < 2 or not status[1].isdigit():
        return Finding(Outcome.FAILURE, f'Get "{url}": EOF')
    code = int(status[1])
    if code >= 400:
        return Finding(Outcome.FAILURE, f"HTTP probe failed with statuscode: {code}")
    if code >= 300:
        return Finding(Outcome.WARNING, "Probe terminated redirects, Response body: ")
    return SUCCESS
