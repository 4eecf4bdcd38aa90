"""Commands in containers: what any runtime's sessions must do, and what processes add to it."""

from __future__ import annotations

import asyncio
import os
import random
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors import RealClock
from orchestrator.node import (
    ContainerExited,
    ContainerOf,
    ContainerSpec,
    ContainerStarted,
    ProcessConfig,
    ProcessRuntime,
    Runtime,
    SimulatedRuntime,
)
from orchestrator.node.commands import run_command
from orchestrator.node.process.sessions import Channel
from orchestrator.node.process.supervisor import processes, wire
from orchestrator.node.sessions import (
    AttachRequest,
    CommandNotStartedError,
    ExecRequest,
    NotRunningError,
    ReadStream,
    Session,
    SessionError,
)
from orchestrator.node.simulated_commands import Invocation

POD = {"metadata": {"name": "p", "namespace": "default", "uid": "u"}, "spec": {"containers": []}}


class Ground:
    """A runtime with one running container."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        runtime.attach("n", self.events.put_nowait)
        self.id = ""

    async def start(self, *argv: str, cwd: str = "", **container: bool) -> None:
        self.id = self.runtime.identify()
        env = {"PATH": "/bin:/usr/bin", "COLOUR": "blue"}
        spec = ContainerSpec(
            id=self.id,
            of=ContainerOf("n", "u", "c", 0),
            pod=POD,
            container={"name": "c", **container},
            argv=argv or ("sleep", "300"),
            env=env,
            working_directory=cwd,
        )
        if self.runtime.start(spec) is None:
            await self.event(ContainerStarted)

    async def event(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(10):
            event = await self.events.get()
        assert isinstance(event, kind), event
        return event

    async def execute(self, *command: str, **options: Any) -> Session:
        return await self.runtime.execute(self.id, ExecRequest(command=command, **options))

    async def attach(self, **wanted: bool) -> Session:
        return await self.runtime.attach_streams(self.id, AttachRequest(**wanted))

    async def run(self, *command: str, seconds: float = 10.0) -> tuple[int | None, str]:
        result = await run_command(
            self.runtime, self.id, command, clock=RealClock(), seconds=seconds
        )
        return result.exit_code, result.output.decode()


async def all_of(stream: ReadStream | None) -> bytes:
    """Read a stream to its end."""
    assert stream is not None
    pieces = []
    async with asyncio.timeout(10):
        while piece := await stream.read():
            pieces.append(piece)
    return b"".join(pieces)


def open_files() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
async def processes_ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """The process runtime; each test starts the container it needs."""
    runtime = ProcessRuntime(ProcessConfig(directory=tmp_path / "process"), RealClock())
    await runtime.open()
    ground = Ground(runtime)
    yield ground
    await runtime.close(grace=0)


@pytest.fixture(params=["process", "simulated"])
async def ground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ground]:
    """Each runtime in turn, with one running container."""
    runtime: Runtime
    if request.param == "process":
        runtime = ProcessRuntime(ProcessConfig(directory=tmp_path / "process"), RealClock())
    else:
        runtime = SimulatedRuntime(RealClock(), random.Random(1))
    await runtime.open()
    made = Ground(runtime)
    await made.start()
    yield made
    await runtime.close(grace=0)


# -- any runtime


async def test_a_command_tells_its_output_and_its_exit_code(ground: Ground) -> None:
    """Output and exit code are those of the command."""
    assert await ground.run("echo", "one", "two") == (0, "one two\n")
    assert await ground.run("false") == (1, "")
    assert await ground.run("sh", "-c", "exit 7") == (7, "")


async def test_input_reaches_the_command_until_it_is_ended(ground: Ground) -> None:
    """What is written comes back from ``cat``, more than any pipe holds, and then it ends."""
    session = await ground.execute("cat", stdin=True)
    sent = os.urandom(300_000)

    async def write() -> None:
        await session.write(sent)
        session.end_input()

    writing = asyncio.create_task(write())
    assert await all_of(session.stdout) == sent
    await writing
    assert await session.wait() == 0
    await session.close()


async def test_a_command_without_input_reads_nothing(ground: Ground) -> None:
    """``cat`` ends at once where no input was asked for."""
    assert await ground.run("cat") == (0, "")


async def test_a_command_that_takes_too_long_is_killed(ground: Ground) -> None:
    """No exit code is told then."""
    assert await ground.run("sleep", "300", seconds=0.05) == (None, "")


async def test_a_killed_command_has_the_signals_exit_code(ground: Ground) -> None:
    """128 + 9, as upstream."""
    session = await ground.execute("sleep", "300")
    session.kill()
    async with asyncio.timeout(10):
        assert await session.wait() == 137
    await session.close()


async def test_a_command_ends_with_its_container(ground: Ground) -> None:
    """Who waits hears that it was killed."""
    session = await ground.execute("sleep", "300")
    ground.runtime.stop(ground.id, 0)
    async with asyncio.timeout(10):
        assert await session.wait() == 137
        assert await all_of(session.stdout) == b""
    await ground.event(ContainerExited)
    await session.close()


async def test_there_is_no_command_without_a_running_container(ground: Ground) -> None:
    """Neither for an unknown id nor for one that has ended."""
    with pytest.raises(NotRunningError):
        await ground.runtime.execute("unknown", ExecRequest(command=("true",)))
    ground.runtime.stop(ground.id, 0)
    await ground.event(ContainerExited)
    with pytest.raises(NotRunningError):
        await ground.execute("true")


async def test_output_is_kept_up_to_a_limit(ground: Ground) -> None:
    """The rest is read, so that the command does not hang, and dropped."""
    result = await run_command(
        ground.runtime, ground.id, ("echo", "x" * 50_000), clock=RealClock(), seconds=10, limit=10
    )
    assert result == (0, b"x" * 10)


# -- processes


async def test_a_command_has_the_containers_surroundings(
    processes_ground: Ground, tmp_path: Path
) -> None:
    """Environment and working directory are the container's."""
    await processes_ground.start(cwd=str(tmp_path))
    assert await processes_ground.run("sh", "-c", "echo $COLOUR; pwd") == (0, f"blue\n{tmp_path}\n")


async def test_errors_are_told_apart_from_output(processes_ground: Ground) -> None:
    """Output and errors are streams of their own; what is not wanted is discarded."""
    await processes_ground.start()
    session = await processes_ground.execute("sh", "-c", "echo out; echo err >&2")
    assert (await all_of(session.stdout), await all_of(session.stderr)) == (b"out\n", b"err\n")
    await session.close()
    session = await processes_ground.execute("sh", "-c", "echo out; echo err >&2", stdout=False)
    assert session.stdout is None
    assert await all_of(session.stderr) == b"err\n"
    await session.close()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("nowhere",), 'exec: "nowhere": executable file not found in $PATH'),
        (("/nowhere",), 'exec: "/nowhere": no such file or directory'),
        (("/etc/passwd",), 'exec: "/etc/passwd": permission denied'),
    ],
)
async def test_what_cannot_be_executed_says_why(
    processes_ground: Ground, command: tuple[str, ...], why: str
) -> None:
    """The words are runc's."""
    await processes_ground.start()
    with pytest.raises(CommandNotStartedError) as caught:
        await processes_ground.execute(*command)
    assert str(caught.value) == why


async def test_a_program_waits_while_nobody_reads(processes_ground: Ground) -> None:
    """Back-pressure is the pipe's: an endless program writes no more than it holds."""
    await processes_ground.start()
    session = await processes_ground.execute("sh", "-c", "yes; :")
    assert session.stdout is not None
    first = await session.stdout.read()
    assert set(first) == set(b"y\n")
    await session.close()


async def test_a_terminal_is_the_commands_own(processes_ground: Ground) -> None:
    """It has a size that can be changed, and errors come with the output."""
    await processes_ground.start()
    script = "tty >/dev/null && stty size; read line; stty size; echo $TERM; echo err >&2"
    session = await processes_ground.execute("sh", "-c", script, stdin=True, tty=True)
    session.resize(132, 43)
    await session.write(b"go\n")
    output = (await all_of(session.stdout)).decode().split("\r\n")
    assert output[-5:] == ["go", "43 132", "xterm", "err", ""] or output[-4:] == [
        "43 132",
        "xterm",
        "err",
        "",
    ]
    assert await session.wait() == 0
    await session.close()


@pytest.mark.parametrize("tty", [False, True])
async def test_a_command_whose_asker_leaves_is_hung_up_on(
    processes_ground: Ground, tty: bool
) -> None:
    """SIGHUP ends it, the container runs on, and nothing of the session is left."""
    await processes_ground.start()
    before = open_files()
    session = await processes_ground.execute("sh", "-c", "echo $$; sleep 300; :", tty=tty)
    assert session.stdout is not None
    pid = int(await session.stdout.read())
    await session.close()
    async with asyncio.timeout(10):
        while processes.start_time(pid) is not None:
            await asyncio.sleep(0.005)
    assert open_files() == before
    assert await processes_ground.run("true") == (0, "")


async def test_a_command_that_ignores_the_hang_up_is_killed(processes_ground: Ground) -> None:
    """Two seconds later, with its process group."""
    await processes_ground.start()
    session = await processes_ground.execute("sh", "-c", "trap '' HUP; echo $$; sleep 300; :")
    assert session.stdout is not None
    pid = int(await session.stdout.read())
    await session.close()
    async with asyncio.timeout(10):
        while processes.start_time(pid) is not None:
            await asyncio.sleep(0.01)


async def test_what_a_command_left_running_does_not_hold_up_its_end(
    processes_ground: Ground,
) -> None:
    """A child in the background keeps the pipe open; it ends with the container."""
    await processes_ground.start()
    session = await processes_ground.execute("sh", "-c", "sleep 300 & echo $!")
    output = await all_of(session.stdout)
    assert await session.wait() == 0
    await session.close()
    pid = int(output)
    assert processes.start_time(pid) is not None
    processes_ground.runtime.stop(processes_ground.id, 0)
    await processes_ground.event(ContainerExited)
    assert processes.start_time(pid) is None


async def test_commands_run_side_by_side(processes_ground: Ground) -> None:
    """Fifty at once each get their own answer."""
    await processes_ground.start()
    answers = await asyncio.gather(
        *(processes_ground.run("sh", "-c", f"echo {n}; exit {n}") for n in range(50))
    )
    assert answers == [(n, f"{n}\n") for n in range(50)]


async def test_too_few_descriptors_are_told_and_leak_none(processes_ground: Ground) -> None:
    """Here, by a limit that leaves room for the connection and little more; others go on."""
    await processes_ground.start()
    assert await processes_ground.run("true") == (0, "")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = open_files()
    begun: list[Session] = []

    async def until_refused() -> None:
        while len(begun) < 20:
            begun.append(await processes_ground.execute("sleep", "300", stdin=True))

    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 8, hard))
    try:
        with pytest.raises(SessionError):
            await until_refused()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for session in begun:
        await session.close()
    assert open_files() == before
    assert await processes_ground.run("true") == (0, "")


# -- attaching to processes


async def test_who_attaches_gets_what_is_written_from_then_on(processes_ground: Ground) -> None:
    """Output and errors apart, also without a newline; the log has all of it as well."""
    script = "read line; printf 'got %s' $line; echo err >&2; read line"
    await processes_ground.start("sh", "-c", script, stdin=True)
    first = await processes_ground.attach(stdin=True)
    second = await processes_ground.attach()
    await first.write(b"it\n")
    for session in (first, second):
        assert session.stdout is not None
        assert session.stderr is not None
        async with asyncio.timeout(10):
            assert await session.stdout.read() == b"got it"
            assert await session.stderr.read() == b"err\n"
    await second.close()
    await first.write(b"on\n")
    async with asyncio.timeout(10):
        assert await all_of(first.stdout) == b""
        assert await first.wait() == 0
    ended = await processes_ground.event(ContainerExited)
    assert ended.exit_code == 0
    await first.close()


@pytest.mark.parametrize("once", [True, False])
async def test_input_ends_with_the_first_who_had_it_if_it_is_once(
    processes_ground: Ground, once: bool
) -> None:
    """``stdinOnce``: the program sees the end when its first writer goes; else it waits."""
    await processes_ground.start("sh", "-c", "cat; echo done", stdin=True, stdinOnce=once)
    first = await processes_ground.attach(stdin=True)
    assert first.stdout is not None
    await first.write(b"one\n")
    assert await first.stdout.read() == b"one\n"
    second = await processes_ground.attach(stdin=True)
    await first.close()
    if once:
        assert (await processes_ground.event(ContainerExited)).exit_code == 0
        assert await all_of(second.stdout) == b"done\n"
    else:
        await second.write(b"two\n")
        assert second.stdout is not None
        assert await second.stdout.read() == b"two\n"
    await second.close()


async def test_a_container_may_have_a_terminal(processes_ground: Ground) -> None:
    """Its size can be changed, its errors come with its output, and it is the log's, too."""
    script = "read line; stty size; echo $TERM; echo err >&2; exit 4"
    await processes_ground.start("sh", "-c", script, stdin=True, tty=True)
    session = await processes_ground.attach(stdin=True)
    assert session.stderr is None
    session.resize(132, 43)
    await session.write(b"go\n")
    assert (await all_of(session.stdout)).decode().split() == ["go", "43", "132", "xterm", "err"]
    assert (await processes_ground.event(ContainerExited)).exit_code == 4
    await session.close()


async def test_input_that_a_container_has_not_got_is_dropped(processes_ground: Ground) -> None:
    """It reads nothing, as without ``stdin``."""
    await processes_ground.start("sh", "-c", "cat; sleep 300")
    session = await processes_ground.attach(stdin=True)
    await session.write(b"lost")
    session.end_input()
    await session.close()


async def test_who_does_not_keep_up_holds_the_output_up_and_loses_nothing(
    processes_ground: Ground,
) -> None:
    """Far more than the pipes hold arrives whole, and in order, at everyone."""
    script = "read line; seq 1 200000; read line"
    await processes_ground.start("sh", "-c", script, stdin=True)
    slow = await processes_ground.attach(stdin=True)
    fast = await processes_ground.attach()
    await slow.write(b"\n")
    expected = b"".join(b"%d\n" % number for number in range(1, 200_001))

    async def collect(session: Session, pause: float) -> bytes:
        found = b""
        assert session.stdout is not None
        while len(found) < len(expected):
            found += await session.stdout.read()
            await asyncio.sleep(pause)
        return found

    async with asyncio.timeout(20):
        taken = await asyncio.gather(collect(slow, 0.001), collect(fast, 0))
    assert [one == expected for one in taken] == [True, True]
    await slow.close()
    await fast.close()


async def test_who_leaves_without_a_word_lets_the_output_go_on(processes_ground: Ground) -> None:
    """A pipe that waited for someone who has left is read again."""
    await processes_ground.start("sh", "-c", "read line; seq 1 200000; exit 5", stdin=True)
    session = await processes_ground.attach(stdin=True)
    await session.write(b"\n")
    assert session.stdout is not None
    await session.stdout.read()
    await session.close()
    assert (await processes_ground.event(ContainerExited)).exit_code == 5


async def test_attaching_ends_with_the_container(ground: Ground) -> None:
    """In either runtime, with what its main process wrote last."""
    session = await ground.attach()
    ground.runtime.stop(ground.id, 0)
    async with asyncio.timeout(10):
        assert await all_of(session.stdout) == b""
        assert await session.wait() == 0
    await session.close()


# -- simulated


async def test_a_simulated_container_says_what_it_can_execute() -> None:
    """Anything else is not found, with exit code 127."""
    ground = Ground(SimulatedRuntime(RealClock(), random.Random(1)))
    await ground.start()
    code, output = await ground.run("python3", "-V")
    assert code == 127
    assert output.startswith("python3: not found: simulated containers execute nothing but cat,")


async def test_a_function_answers_commands() -> None:
    """What the function leaves goes to the built-in commands."""

    async def greet(asked: Invocation) -> int:
        await asked.stdout.write(f"hello {asked.of.container}\n".encode())
        return 3

    runtime = SimulatedRuntime(
        RealClock(),
        random.Random(1),
        program=lambda asked: greet(asked) if asked.command == ("greet",) else None,
    )
    ground = Ground(runtime)
    await ground.start()
    assert await ground.run("greet") == (3, "hello c\n")
    assert await ground.run("echo", "hi") == (0, "hi\n")


async def test_a_container_that_ends_while_a_command_begins_is_not_its_answer(
    tmp_path: Path,
) -> None:
    """The supervisor tells every connection of an end, also one whose request it has not read."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire.encode({"event": "exited", "container": {"id": "another"}}))
        await reader.read(4096)
        writer.write(wire.encode({"id": 1, "ok": {"pid": 7}}))
        await writer.drain()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        served.set()

    served = asyncio.Event()
    server = await asyncio.start_unix_server(serve, tmp_path / "supervisor.sock")
    channel = await Channel.open(tmp_path)
    async with asyncio.timeout(5):
        answer, descriptors = await channel.ask({"id": 1, "op": "exec"})
    assert (answer, descriptors) == ({"id": 1, "ok": {"pid": 7}}, [])
    channel.close()
    await served.wait()
    server.close()
