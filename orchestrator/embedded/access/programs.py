"""Programs that a test runs against its cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.embedded.arguments import span_of
from orchestrator.embedded.client.conversing import CommandResult
from orchestrator.embedded.errors import ClusterError


async def run_program(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    stdin: str | None,
    check: bool,
    timeout: float,
) -> CommandResult:
    """Run a program to its end; see `Cluster.run`."""
    if not command:
        raise TypeError('name a program, and its arguments: run("kubectl", "get", "pods")')
    span_of(timeout, "timeout")
    shown = " ".join(map(str, command))
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise ClusterError(f"cannot run {shown}: {command[0]} is not installed") from error
    given = None if stdin is None else stdin.encode()
    try:
        async with asyncio.timeout(timeout):
            out, errors = await process.communicate(given)
    except TimeoutError:
        raise TimeoutError(f"{shown} was still running after {timeout:g} real seconds") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    code = process.returncode
    assert code is not None, "it has ended"
    said = errors.decode("utf-8", "replace")
    if code and check:
        raise ClusterError(f"{shown} ended with code {code}: {said.strip()}")
    return CommandResult(code, out.decode("utf-8", "replace"), said)
