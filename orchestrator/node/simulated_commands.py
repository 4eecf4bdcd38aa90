"""What answers a command in a simulated container: a caller's functions, else a few small ones.

A simulated container executes nothing, so commands are functions. The built-in ones are those that
tests of tools try out ``exec`` with; anything else ends with 127 and says so.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from actors import Clock
from orchestrator.node.pipes import MemoryPipe
from orchestrator.node.runtime import ContainerOf
from orchestrator.node.simulated_logs import MemoryCursor
from orchestrator.resources.objects import Object, spec_of

if TYPE_CHECKING:
    from orchestrator.node.simulated_processes import SimulatedProcess

NOT_FOUND = 127
"""Exit code of a command that is not there, as a shell has it."""
_USAGE = 2
_SHELL_SYNTAX = frozenset("|&;<>()$`\n*?[]#~{}!")


class Invocation(NamedTuple):
    """A command in a simulated container.

    Attributes:
        command: Program and arguments; empty where somebody attaches to the main process.
        of: The container.
        pod: The pod it is in, ``{}`` where the asker did not tell.
        stdin: Read its input here; at the end at once where none was asked for.
        stdout: Write its output here.
        stderr: Write its errors here; the same as ``stdout`` with a terminal.
        clock: The runtime's: virtual where the cluster's time is.
        tty: Whether a terminal was asked for.
        process: The container's main process, None where nothing was said of its image.
    """

    command: tuple[str, ...]
    of: ContainerOf
    pod: Object
    stdin: MemoryPipe
    stdout: MemoryPipe
    stderr: MemoryPipe
    clock: Clock
    tty: bool
    process: SimulatedProcess | None = None


Program: TypeAlias = Callable[[Invocation], Awaitable[int] | None]
"""Answers a command with its exit code; None leaves it to the built-in ones."""


async def run_builtin(asked: Invocation) -> int:
    """Run one of the built-in commands, or say that there is none of that name."""
    if not asked.command:
        await _attend(asked)
    name = asked.command[0].rpartition("/")[2]
    program = _BUILTIN.get(name)
    if program is None:
        return await _fail(asked, name, "not found", NOT_FOUND)
    return await program(asked)


async def _attend(asked: Invocation) -> None:
    """Show what the main process writes from now on, until it ends."""
    if asked.process is None:
        await asyncio.Event().wait()
    else:
        cursor = MemoryCursor(asked.process.log, asked.process.log.end)
        while True:
            for entry in cursor.read():
                _, stream, tag, text = entry.split(b" ", 3)
                pipe = asked.stderr if stream == b"stderr" else asked.stdout
                await pipe.write(text if tag == b"P" else text + b"\n")
            await cursor.wait_more()


async def _fail(asked: Invocation, name: str, why: str, code: int) -> int:
    known = ", ".join(sorted(_BUILTIN))
    text = f"{name}: {why}: simulated containers execute nothing but {known}\n"
    await asked.stderr.write(text.encode())
    return code


async def _true(_: Invocation) -> int:
    return 0


async def _false(_: Invocation) -> int:
    return 1


async def _echo(asked: Invocation) -> int:
    words = asked.command[1:]
    end = "\n"
    if words[:1] == ("-n",):
        words, end = words[1:], ""
    await asked.stdout.write(f"{' '.join(words)}{end}".encode())
    return 0


async def _cat(asked: Invocation) -> int:
    for name in asked.command[1:]:
        if name != "-":
            await asked.stderr.write(f"cat: {name}: No such file or directory\n".encode())
            return 1
    while data := await asked.stdin.read():
        await asked.stdout.write(data)
    return 0


async def _sleep(asked: Invocation) -> int:
    try:
        seconds = sum(float(word.removesuffix("s")) for word in asked.command[1:])
    except ValueError:
        return await _fail(asked, "sleep", "invalid time interval", _USAGE)
    await asked.clock.sleep(max(0.0, seconds))
    return 0


async def _hostname(asked: Invocation) -> int:
    await asked.stdout.write(f"{_host(asked)}\n".encode())
    return 0


def _host(asked: Invocation) -> str:
    spec = asked.pod.get("spec") or {}
    name = (asked.pod.get("metadata") or {}).get("name") or asked.of.container
    return str(spec.get("hostname") or name)


async def _env(asked: Invocation) -> int:
    """Print the container's variables.

    Where it has no function, and nobody computed them, those whose values stand in the pod.
    """
    spec = spec_of(asked.pod) if asked.pod else {}
    variables = {"HOSTNAME": _host(asked)}
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            if container["name"] == asked.of.container:
                for variable in container.get("env") or ():
                    if "valueFrom" not in variable:
                        variables[variable["name"]] = variable.get("value") or ""
    if asked.process is not None and asked.process.spec.env:
        variables = dict(asked.process.spec.env)
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    await asked.stdout.write(lines.encode())
    return 0


async def _exit(asked: Invocation) -> int:
    code = asked.command[1] if len(asked.command) > 1 else "0"
    return int(code) & 0xFF if code.isascii() and code.isdigit() else _USAGE


async def _shell(asked: Invocation) -> int:
    """Run ``sh -c`` with one plain command."""
    words = asked.command[1:]
    if len(words) < 2 or words[0] != "-c":
        return await _fail(asked, "sh", "only -c COMMAND", _USAGE)
    try:
        inner = tuple(shlex.split(words[1]))
    except ValueError as error:
        return await _fail(asked, "sh", str(error), _USAGE)
    if not inner or _SHELL_SYNTAX.intersection(words[1]):
        return await _fail(asked, "sh", "only one plain command", NOT_FOUND)
    return await run_builtin(asked._replace(command=inner))


_BUILTIN: dict[str, Callable[[Invocation], Awaitable[int]]] = {
    "cat": _cat,
    "echo": _echo,
    "env": _env,
    "exit": _exit,
    "false": _false,
    "hostname": _hostname,
    "sh": _shell,
    "sleep": _sleep,
    "true": _true,
}
