"""Reading container logs: options, rotation, following."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest

from actors import RealClock
from actors.testing import virtual
from orchestrator.node import LogOptions, NodeLogs
from orchestrator.node._logfiles import BLOCK, LogCursor, rotated_files, tail_start
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRecord,
    ContainerStarted,
)
from orchestrator.resources.errors import StatusError
from orchestrator.resources.timestamps import format_time

POD = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u-1"},
    "spec": {"containers": [{"name": "c"}]},
    "status": {},
}


class Files:
    """Stands for the process runtime: records, and files where it would write them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.records: list[ContainerRecord] = []

    def known(self, uid: str) -> list[ContainerRecord]:
        return self.records

    def attempt(self, number: int, *, running: bool = False) -> Path:
        of = ContainerOf("n", "u-1", "c", number)
        started = ContainerStarted(f"id{number}", of, 0.0)
        ended = None if running else ContainerExited(f"id{number}", of, 0, 0, 0.0, 1.0)
        self.records = [item for item in self.records if item.started.of.attempt != number]
        self.records.append(ContainerRecord(started, ended, ""))
        path = self.directory / "pods" / "shop_web_u-1" / "c" / f"{number}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path


def entry(text: str, *, at: float = 0.0, tag: str = "F") -> str:
    """One line of a log."""
    return f"{format_time(at)[:-1]}.000000000Z stdout {tag} {text}\n"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Files of one pod."""
    return Files(tmp_path)


async def read(files: Files, **options: Any) -> str:
    """Read the whole log."""
    logs = NodeLogs(files, RealClock())
    stream = await logs.open(POD, "c", LogOptions(**options))
    return b"".join([chunk async for chunk in stream]).decode()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "a\nb\nc\n"),
        ({"tail_lines": 2}, "b\nc\n"),
        ({"tail_lines": 0}, ""),
        ({"tail_lines": 9}, "a\nb\nc\n"),
        ({"since_time": 20.0}, "b\nc\n"),
        ({"since_time": 20.5}, "c\n"),
        ({"since_time": 99.0}, ""),
        ({"since_seconds": 60}, ""),
        ({"limit_bytes": 3}, "a\nb"),
        ({"limit_bytes": 0}, ""),
        ({"tail_lines": 1, "timestamps": True}, "1970-01-01T00:00:30.000000000Z c\n"),
    ],
)
async def test_options_choose_what_is_read(
    files: Files, options: dict[str, Any], expected: str
) -> None:
    """One option each."""
    lines = [entry("a", at=10), entry("b", at=20), entry("c", at=30)]
    files.attempt(0).write_text("".join(lines))
    assert await read(files, **options) == expected


async def test_partial_entries_are_joined_and_keep_their_missing_newline(files: Files) -> None:
    """A timestamp stands once before a line however many entries it has."""
    lines = [entry("on", tag="P"), entry("e"), entry("end", tag="P")]
    files.attempt(0).write_text("".join(lines))
    assert await read(files) == "one\nend"
    stamp = "1970-01-01T00:00:00.000000000Z "
    assert await read(files, timestamps=True) == f"{stamp}one\n{stamp}end"


async def test_rotated_files_are_read_in_order(files: Files) -> None:
    """Oldest first; a tail reaches back over them."""
    path = files.attempt(0)
    for number, texts in ((2, "ab"), (1, "cd"), (0, "ef")):
        target = path if number == 0 else path.with_name(f"0.log.{number}")
        target.write_text("".join(entry(text) for text in texts))
    assert await read(files) == "a\nb\nc\nd\ne\nf\n"
    assert await read(files, tail_lines=3) == "d\ne\nf\n"
    assert await read(files, tail_lines=2) == "e\nf\n"


def test_a_tail_is_found_across_blocks(tmp_path: Path) -> None:
    """Reading backwards in blocks finds the same place as counting forwards."""
    path = tmp_path / "0.log"
    lines = [entry("x" * (index % 977)) for index in range(600)]
    path.write_text("".join(lines))
    assert path.stat().st_size > 3 * BLOCK
    for wanted in (1, 2, 77, 333, 599, 600, 601):
        offset = sum(len(line) for line in lines[: max(0, 600 - wanted)])
        assert tail_start(rotated_files(path), wanted) == (0, offset)


async def test_the_previous_attempt_has_its_own_log(files: Files) -> None:
    """By default the newest one is read."""
    files.attempt(3).write_text(entry("old"))
    files.attempt(4, running=True).write_text(entry("new"))
    assert await read(files) == "new\n"
    assert await read(files, previous=True) == "old\n"


async def test_a_missing_log_says_what_the_container_waits_for(files: Files) -> None:
    """400, in the kubelet's words."""
    with pytest.raises(StatusError) as caught:
        await read(files)
    text = 'container "c" in pod "web" is waiting to start: ContainerCreating'
    assert (caught.value.code, caught.value.message) == (400, text)
    files.attempt(0)
    with pytest.raises(StatusError) as caught:
        await read(files, previous=True)
    text = 'previous terminated container "c" in pod "web" not found'
    assert caught.value.message == text
    with pytest.raises(StatusError, match="container x is not valid for pod web"):
        await NodeLogs(None, RealClock()).open(POD, "x", LogOptions())


TERMINATED = {"exitCode": 1, "containerID": "process://id3"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            {"state": {"waiting": {"reason": "PodInitializing"}}},
            "waiting to start: PodInitializing",
        ),
        (
            {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": "no such"}}},
            "waiting to start: CreateContainerConfigError",
        ),
        (
            {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such"}}},
            "waiting to start: image can't be pulled",
        ),
        (
            {"state": {"waiting": {"reason": "NoCommand", "message": "it has none"}}},
            "waiting to start: NoCommand: it has none",
        ),
        ({"state": {"terminated": {"reason": "StartError"}}}, "terminated"),
    ],
)
async def test_a_container_that_never_ran_has_no_log_for_its_reason(
    files: Files, status: Any, words: str
) -> None:
    """In the kubelet's words; a reason of this node's own comes with its message."""
    pod = {**POD, "status": {"containerStatuses": [{"name": "c", **status}]}}
    with pytest.raises(StatusError) as caught:
        await NodeLogs(files, RealClock()).open(pod, "c", LogOptions())
    assert caught.value.message == f'container "c" in pod "web" is {words}'


async def test_a_pod_that_was_never_begun_has_no_container(files: Files) -> None:
    """A node has refused it."""
    pod = {**POD, "status": {"phase": "Failed", "reason": "OutOfcpu"}}
    with pytest.raises(StatusError) as caught:
        await NodeLogs(files, RealClock()).open(pod, "c", LogOptions())
    assert caught.value.message == 'container "c" in pod "web" is not available'


async def test_the_previous_attempt_of_one_that_waits_for_its_restart_is_the_newest(
    files: Files,
) -> None:
    """As its status has it: ``lastState`` is what ``--previous`` reads."""
    files.attempt(2).write_text(entry("older"))
    files.attempt(3).write_text(entry("newest"))
    status = {"name": "c", "state": {"waiting": {}}, "lastState": {"terminated": TERMINATED}}
    pod = {**POD, "status": {"containerStatuses": [status]}}
    stream = await NodeLogs(files, RealClock()).open(pod, "c", LogOptions(previous=True))
    assert [chunk async for chunk in stream] == [b"newest\n"]


@virtual
async def test_following_goes_on_over_rotations_until_the_container_ends() -> None:
    """What was written before the end is read before the stream ends."""
    with tempfile.TemporaryDirectory() as directory:
        files = Files(Path(directory))
        path = files.attempt(0, running=True)
        path.write_text(entry("a"))
        logs = NodeLogs(files, RealClock())
        stream = await logs.open(POD, "c", LogOptions(follow=True))
        assert await anext(stream) == b"a\n"
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(1)
        assert not waiting.done()
        with path.open("a") as file:
            file.write(entry("b"))
        assert await waiting == b"b\n"
        with path.open("a") as file:
            file.write(entry("c"))
        path.rename(path.with_name("0.log.1"))
        path.write_text(entry("d"))
        assert await anext(stream) + await anext(stream) == b"c\nd\n"
        with path.open("a") as file:
            file.write(entry("last"))
        files.attempt(0)
        assert [chunk async for chunk in stream] == [b"last\n"]


def test_an_unfinished_entry_waits_for_its_rest(tmp_path: Path) -> None:
    """A reader may be quicker than a writer."""
    path = tmp_path / "0.log"
    path.write_text("whole\nhal")
    cursor = LogCursor(path)
    assert cursor.read() == [b"whole"]
    assert cursor.read() == []
    with path.open("a") as file:
        file.write("f\n")
    assert cursor.read() == [b"half"]
    cursor.close()


async def test_a_simulated_container_has_an_empty_log() -> None:
    """It ran no program that could have written."""
    status = {"containerStatuses": [{"name": "c", "containerID": "simulated://1"}]}
    logs = NodeLogs(None, RealClock())
    stream = await logs.open({**POD, "status": status}, "c", LogOptions(follow=True))
    assert [chunk async for chunk in stream] == []
