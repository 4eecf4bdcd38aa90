"""The supervisor process itself: pipes, ends, strays, recovery."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import resource
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.node.process.client import RefusedError, SupervisorClient
from orchestrator.node.process.supervisor import processes, wire
from orchestrator.node.process.supervisor.logfiles import LineWriter, LogFile

SCRIPT = "orchestrator.node.process.supervisor"


class Supervised:
    """A client whose container ends are put into a queue."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.exits: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.client = self.new_client()

    def new_client(self) -> SupervisorClient:
        return SupervisorClient(
            self.directory, on_exit=self.exits.put_nowait, on_lost=self.lost.set
        )

    async def start(self, name: str, *argv: str, **values: Any) -> dict[str, Any]:
        request = {
            "op": "start",
            "container": name,
            "argv": argv,
            "env": {"PATH": os.environ["PATH"]},
            "cwd": "",
            "labels": {"who": name},
            "log": str(self.log(name)),
            "log_limit": 1 << 20,
            "log_files": 3,
            **values,
        }
        return dict(await self.client.ask(request))

    async def stop(self, name: str, grace: float) -> None:
        await self.client.ask({"op": "stop", "container": name, "grace": grace})

    async def ended(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return await self.exits.get()

    async def records(self) -> dict[str, dict[str, Any]]:
        return {record["id"]: record for record in await self.client.ask({"op": "list"})}

    async def saved(self, name: str, state: str) -> None:
        """Wait until the container's record on disk says ``state``: what failed is saved later."""
        path = self.directory / "containers" / f"{name}.json"
        async with asyncio.timeout(10):
            while json.loads(path.read_text())["state"] != state:
                await asyncio.sleep(0.02)

    def log(self, name: str) -> Path:
        return self.directory / "pods" / "pod" / name / "0.log"

    async def logged(self, name: str) -> str:
        """Wait until the container has written a line, and return the log's texts."""
        async with asyncio.timeout(10):
            while not (self.log(name).exists() and self.log(name).stat().st_size):
                await asyncio.sleep(0.005)
        entries = self.log(name).read_text().splitlines()
        return "\n".join(entry.split(" ", 3)[3] for entry in entries)


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    return processes.start_time(pid) is not None


async def until_dead(pid: int) -> None:
    """Wait until a process has ended."""
    async with asyncio.timeout(10):
        while is_alive(pid):
            await asyncio.sleep(0.005)


@pytest.fixture
async def supervised(tmp_path: Path) -> AsyncIterator[Supervised]:
    """A supervisor of a directory whose path is longer than a socket's may be."""
    directory = tmp_path / ("long" * 30) / "process"
    directory.mkdir(parents=True)
    made = Supervised(directory)
    await made.client.connect()
    yield made
    with contextlib.suppress(Exception):
        await made.client.ask({"op": "shutdown", "grace": 0})
        await made.client.wait_gone(10)
    await made.client.close()


async def test_output_becomes_cri_log_lines(supervised: Supervised) -> None:
    """Streams are told apart; a missing newline at the end makes a partial entry."""
    await supervised.start("a", "sh", "-c", "echo one; sleep 0.05; echo two >&2; printf three")
    end = await supervised.ended()
    assert (end["id"], end["exit_code"], end["state"]) == ("a", 0, "exited")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
    lines = supervised.log("a").read_text().splitlines()
    assert [re.sub(stamp, "T", line) for line in sorted(lines)] == [
        "T stdout F one",
        "T stderr F two",
        "T stdout P three",
    ]


@pytest.mark.parametrize(
    ("script", "code", "number"), [("exit 3", 3, 0), ("kill -9 $$", 137, 9), ("kill $$", 143, 15)]
)
async def test_exit_codes_and_signals_are_told(
    supervised: Supervised, script: str, code: int, number: int
) -> None:
    """A signal is 128 and its number, as everywhere in Kubernetes."""
    await supervised.start("a", "sh", "-c", script)
    end = await supervised.ended()
    assert (end["exit_code"], end["signal"]) == (code, number)


@pytest.mark.parametrize(
    ("argv", "values", "message"),
    [
        (["nope"], {}, 'exec: "nope": executable file not found in $PATH'),
        (["/nope"], {}, 'exec: "/nope": no such file or directory'),
        (["/etc/passwd"], {}, 'exec: "/etc/passwd": permission denied'),
        (["true"], {"cwd": "/nope"}, 'chdir to cwd ("/nope"): no such file or directory'),
    ],
)
async def test_what_cannot_be_started_says_why(
    supervised: Supervised, argv: list[str], values: dict[str, Any], message: str
) -> None:
    """And leaves neither a record nor a log."""
    with pytest.raises(RefusedError) as caught:
        await supervised.start("a", *argv, **values)
    assert str(caught.value) == message
    assert await supervised.records() == {}
    assert not supervised.log("a").exists()


async def test_sigterm_goes_first_and_sigkill_follows_after_the_grace(
    supervised: Supervised,
) -> None:
    """A container that ignores SIGTERM gets its grace and no more."""
    await supervised.start(
        "polite", "sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done"
    )
    await supervised.start(
        "rude", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"
    )
    await supervised.logged("polite")
    await supervised.logged("rude")
    await supervised.stop("polite", 10)
    assert (await supervised.ended())["exit_code"] == 7
    await supervised.stop("rude", 0.1)
    assert (await supervised.ended())["exit_code"] == 137


async def test_no_descendant_outlives_its_container(supervised: Supervised) -> None:
    """Neither a background child nor one that forked twice into a session of its own."""
    script = "sleep 300 & echo $!; (setsid sh -c 'echo $$; exec sleep 300' &); sleep 0.2; wait"
    await supervised.start("a", "sh", "-c", script)
    async with asyncio.timeout(10):
        while len((await supervised.logged("a")).split()) < 2:
            await asyncio.sleep(0.01)
    pids = [int(pid) for pid in (await supervised.logged("a")).split()]
    assert all(is_alive(pid) for pid in pids)
    await supervised.stop("a", 0)
    await supervised.ended()
    assert not any(is_alive(pid) for pid in pids)


async def test_a_descendant_that_hides_is_ended_with_its_container(
    supervised: Supervised,
) -> None:
    """It forked twice, left the session and cleared its environment; a neighbour lives on."""
    hide = "(env -i {0}/setsid {0}/sh -c 'echo $$; exec {0}/sleep 300' &); sleep 300"
    script = hide.format(Path(shutil.which("setsid") or "").parent)
    await supervised.start("a", "sh", "-c", script)
    await supervised.start("b", "sh", "-c", script)
    mine, other = int(await supervised.logged("a")), int(await supervised.logged("b"))
    await supervised.stop("a", 0)
    await supervised.ended()
    assert not is_alive(mine)
    assert is_alive(other)
    os.kill(supervised.client.pid, signal.SIGKILL)
    await asyncio.wait_for(supervised.lost.wait(), 10)
    supervised.client = supervised.new_client()
    await supervised.client.connect()
    assert not is_alive(other)


def test_a_zombie_is_not_waited_for() -> None:
    """Whoever has to reap it may take its time; recovery must not."""
    launch = processes.Launch(["sleep", "300"], {"PATH": os.environ["PATH"]}, "", None, None, False)
    pid = processes.spawn(launch._replace(tag=processes.tag_of("zombie")), processes.Streams())
    assert processes.marked("zombie") == [pid]
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert processes.marked("zombie") == []
    os.waitpid(pid, 0)


async def test_what_a_container_leaves_behind_is_ended_with_it(supervised: Supervised) -> None:
    """A main process that exits takes its background children along, as in a container."""
    await supervised.start("a", "sh", "-c", "sleep 300 & echo $!; exit 0")
    await supervised.ended()
    assert not is_alive(int(await supervised.logged("a")))


async def test_containers_go_on_while_nobody_is_connected(supervised: Supervised) -> None:
    """A later client finds what runs, and how ended what ended meanwhile."""
    runs = await supervised.start("runs", "sleep", "300")
    await supervised.start("ends", "sh", "-c", "sleep 0.05; exit 4")
    await supervised.client.close()
    assert is_alive(runs["pid"])
    supervised.client = supervised.new_client()
    await supervised.client.connect()
    async with asyncio.timeout(10):
        while (await supervised.records())["ends"]["state"] != "exited":
            await asyncio.sleep(0.01)
    records = await supervised.records()
    assert (records["runs"]["state"], records["ends"]["exit_code"]) == ("running", 4)
    assert records["runs"]["labels"] == {"who": "runs"}


async def test_a_killed_supervisor_is_replaced_and_its_containers_are_lost(
    supervised: Supervised,
) -> None:
    """The next one ends what is left, strays too, and keeps the ends that were known."""
    script = "(setsid sleep 300 &); sleep 300 & echo $!; wait"
    first = await supervised.start("a", "sh", "-c", script)
    child = int(await supervised.logged("a"))
    await supervised.start("b", "sh", "-c", "exit 5")
    await supervised.ended()
    os.kill(supervised.client.pid, signal.SIGKILL)
    await asyncio.wait_for(supervised.lost.wait(), 10)
    await supervised.client.close()
    supervised.client = supervised.new_client()
    await supervised.client.connect()
    records = await supervised.records()
    assert not is_alive(first["pid"])
    assert not is_alive(child)
    assert processes.marked("a") == []
    assert "supervisor" in records["a"]["lost"]
    assert (records["a"]["state"], records["a"]["exit_code"]) == ("exited", 137)
    assert (records["b"]["exit_code"], records["b"]["lost"]) == (5, "")


async def test_shutdown_ends_everything_within_the_grace(supervised: Supervised) -> None:
    """Containers first, then the supervisor."""
    rude = await supervised.start(
        "a", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"
    )
    await supervised.logged("a")
    pid = supervised.client.pid
    await supervised.client.ask({"op": "shutdown", "grace": 0.1})
    assert await supervised.client.wait_gone(10)
    await until_dead(pid)
    assert not is_alive(rude["pid"])


async def test_a_disk_that_takes_nothing_ends_no_container(supervised: Supervised) -> None:
    """Records and logs wait until there is room; new containers are refused with the reason."""
    script = "echo up; while read -r line < {0}/go; do echo $line; done"
    fifo = supervised.directory / "go"
    os.mkfifo(fifo)
    first = await supervised.start("a", "sh", "-c", script.format(supervised.directory))
    await supervised.start("b", "sleep", "300")
    await supervised.logged("a")
    away = supervised.directory / "away"
    for name in ("containers", "pods"):
        (supervised.directory / name).rename(away.with_name(f"away-{name}"))
        (supervised.directory / name).write_text("in the way of every new file")
    await supervised.stop("b", 0)
    assert (await supervised.ended())["id"] == "b"
    with pytest.raises(RefusedError, match="Not a directory"):
        await supervised.start("c", "sleep", "300")
    assert is_alive(first["pid"])
    for name in ("containers", "pods"):
        (supervised.directory / name).unlink()
        away.with_name(f"away-{name}").rename(supervised.directory / name)
    await supervised.stop("a", 0)
    assert (await supervised.ended())["id"] == "a"
    await supervised.saved("b", "exited")
    assert set(await supervised.records()) == {"a", "b"}


async def test_a_full_disk_under_its_own_log_ends_no_supervisor(tmp_path: Path) -> None:
    """It has something to complain of, and nowhere to write it."""
    (tmp_path / "supervisor.log").symlink_to("/dev/full")
    supervised = Supervised(tmp_path)
    await supervised.client.connect()
    try:
        first = await supervised.start("a", "sleep", "300")
        await supervised.start("b", "sleep", "300")
        (tmp_path / "containers").rename(tmp_path / "away")
        (tmp_path / "containers").write_text("in the way of every new file")
        await supervised.stop("b", 0)
        assert (await supervised.ended())["id"] == "b"
        assert is_alive(first["pid"])
        assert set(await supervised.records()) == {"a", "b"}
    finally:
        await supervised.client.ask({"op": "shutdown", "grace": 0})
        assert await supervised.client.wait_gone(10)
        await supervised.client.close()


async def test_a_supervisor_that_is_still_starting_is_waited_for(
    tmp_path: Path,
) -> None:
    """It holds the lock and does not listen yet; should it end instead, another one is started."""
    with (tmp_path / "supervisor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        supervised = Supervised(tmp_path)
        connecting = asyncio.create_task(supervised.client.connect())
        done, _ = await asyncio.wait((connecting,), timeout=1.5)
        assert not done
    await asyncio.wait_for(connecting, 20)
    await supervised.client.ask({"op": "shutdown", "grace": 0})
    assert await supervised.client.wait_gone(10)
    await supervised.client.close()


async def test_more_containers_run_than_files_are_usual(tmp_path: Path) -> None:
    """The supervisor raises its own limit; containers keep the one it was started with."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    supervised = Supervised(tmp_path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, usual[1]))
    try:
        await supervised.client.connect()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    try:
        for number in range(20):
            await supervised.start(f"c{number}", "sh", "-c", "ulimit -Sn; exec sleep 300")
        assert await supervised.logged("c19") == "40"
        assert len(await supervised.records()) == 20
    finally:
        await supervised.client.ask({"op": "shutdown", "grace": 0})
        assert await supervised.client.wait_gone(10)
        await supervised.client.close()


async def test_a_supervisor_whose_socket_was_removed_is_found_again(
    supervised: Supervised,
) -> None:
    """By the next daemon, with everything it has."""
    await supervised.start("a", "sleep", "300")
    await supervised.client.close()
    (supervised.directory / "supervisor.sock").unlink()
    pid = supervised.client.pid
    supervised.client = supervised.new_client()
    await supervised.client.connect()
    assert supervised.client.pid == pid
    assert (await supervised.records())["a"]["state"] == "running"


def test_a_log_goes_on_when_it_can_be_written_again(tmp_path: Path) -> None:
    """What came meanwhile is lost, the writer is not."""
    path = tmp_path / "logs" / "0.log"
    file = LogFile(str(path), 20, 2)
    writer = LineWriter(file, "stdout")
    writer.feed(b"one\n")
    path.parent.rename(tmp_path / "away")
    (tmp_path / "logs").write_text("in the way")
    writer.feed(b"two\n")
    assert file.failed is not None
    (tmp_path / "logs").unlink()
    writer.feed(b"three\n")
    file.close()
    assert path.read_text().endswith("three\n")


async def test_removing_forgets_the_container_and_its_log(supervised: Supervised) -> None:
    """A running one is refused."""
    await supervised.start("a", "sleep", "300")
    with pytest.raises(RefusedError, match="stop it first"):
        await supervised.client.ask({"op": "remove", "container": "a"})
    await supervised.stop("a", 0)
    await supervised.ended()
    await supervised.client.ask({"op": "remove", "container": "a"})
    assert await supervised.records() == {}
    assert not supervised.log("a").exists()


async def test_a_malformed_request_is_answered_and_harms_nothing(supervised: Supervised) -> None:
    """The connection stays usable."""
    for request in ({"op": "dance"}, {"op": "start"}, {"op": "stop", "container": "x"}):
        with pytest.raises(RefusedError):
            await supervised.client.ask(request)
    assert await supervised.records() == {}


async def test_only_one_supervisor_serves_a_directory(supervised: Supervised) -> None:
    """A second start finds the lock taken, succeeds, and leaves the first one in place."""
    await supervised.client._launch()
    other = Supervised(supervised.directory)
    await other.client.connect()
    assert other.client.pid == supervised.client.pid
    await other.client.close()


async def test_the_supervisor_is_small(supervised: Supervised) -> None:
    """It has the standard library only, and little of that."""
    status = Path(f"/proc/{supervised.client.pid}/status").read_text()
    kilobytes = int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
    assert kilobytes < 20_000


def test_frames_survive_any_cut() -> None:
    """A stream arrives in pieces."""
    messages: list[dict[str, Any]] = [{"a": 1}, {"text": "x" * 1000}, {}]
    stream = b"".join(wire.encode(message) for message in messages)
    for size in (1, 3, 7, len(stream)):
        decoder = wire.Decoder()
        found = []
        for at in range(0, len(stream), size):
            found += decoder.feed(stream[at : at + size])
        assert found == messages


def test_a_stream_of_something_else_is_refused() -> None:
    """A length beyond the limit means that the peer is not ours."""
    with pytest.raises(ValueError, match="over the limit"):
        wire.Decoder().feed(b"GET / HTTP/1.1\r\n")


def test_long_lines_are_cut_into_partial_entries(tmp_path: Path) -> None:
    """16 KiB each, the last one full."""
    file = LogFile(str(tmp_path / "0.log"), 1 << 20, 3)
    writer = LineWriter(file, "stdout")
    line = b"x" * 40_000
    for at in range(0, len(line), 1000):
        writer.feed(line[at : at + 1000])
    writer.feed(b"\nshort\n")
    writer.finish()
    file.close()
    entries = [item.split(" ", 3) for item in (tmp_path / "0.log").read_text().splitlines()]
    assert [(tag, len(text)) for _, _, tag, text in entries] == [
        ("P", 16384),
        ("P", 16384),
        ("F", 7232),
        ("F", 5),
    ]


def test_log_files_rotate_by_size_and_the_oldest_go(tmp_path: Path) -> None:
    """No entry is split and the newest file always has the plain name."""
    file = LogFile(str(tmp_path / "0.log"), 1000, 3)
    writer = LineWriter(file, "stdout")
    for number in range(100):
        writer.feed(b"line %03d\n" % number)
    file.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["0.log", "0.log.1", "0.log.2"]
    texts = [
        line.split(" ", 3)[3]
        for name in ("0.log.2", "0.log.1", "0.log")
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert texts == [f"line {number:03d}" for number in range(100)][-len(texts) :]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
