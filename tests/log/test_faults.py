"""Crashes and failing disks: the state before or after, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actors.log import (
    Append,
    Appended,
    EventLog,
    LogError,
    LogFailed,
    LogFull,
    LogLocked,
    SqliteLog,
)

WRITES = ("BEGIN", "INSERT", "UPDATE", "DELETE", "COMMIT", "PRAGMA")


class Faulty(sqlite3.Connection):
    """A connection whose n-th statement goes wrong: before or after it was done."""

    count: ClassVar[int] = 0
    fail_at: ClassVar[int] = 0
    action: ClassVar[str] = "error"  # error | error-after | full | busy | crash | crash-after
    only: ClassVar[tuple[str, ...]] = WRITES

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        """Run a statement, or do not."""
        if not sql.startswith(self.only):
            return super().execute(sql, *args)
        Faulty.count += 1
        hit = Faulty.count == Faulty.fail_at
        if hit and self.action.endswith("-after"):
            super().execute(sql, *args)
        if hit:
            if self.action.startswith("crash"):
                os._exit(9)
            raise self.error()
        return super().execute(sql, *args)

    @classmethod
    def error(cls) -> sqlite3.OperationalError:
        """Make the error SQLite would raise."""
        code = {"full": sqlite3.SQLITE_FULL, "busy": sqlite3.SQLITE_BUSY}
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = code.get(cls.action, sqlite3.SQLITE_IOERR)
        return error

    @classmethod
    def arm(cls, action: str, fail_at: int, only: tuple[str, ...] = WRITES) -> None:
        """Let the n-th statement from now on go wrong; 0: none."""
        cls.action, cls.fail_at, cls.only, cls.count = action, fail_at, only, 0


STEPS = 7


async def run_step(log: EventLog, step: int) -> None:
    """One of the steps of the workload: appends, a snapshot, compactions."""
    match step:
        case 0 | 1 | 4 | 6:
            await log.append([Append("k", b"%d" % step), Append(f"k{step}", b"x" * 2000)])
        case 2:
            await log.snapshot(3, [(f"k{i}", 1, b"s") for i in range(700)])
        case 3:
            await log.compact(3)
        case _:
            await log.snapshot(6, [("k", 5, b"4")])


async def view(path: Path) -> Any:
    """Open a log, as after a crash, and return all that can be seen of it."""
    log = await SqliteLog.open(path)
    try:
        snapshot = await log.load_snapshot()
        return (
            log.first_sequence,
            log.last_sequence,
            [r async for chunk in log.read(log.first_sequence - 1) for r in chunk],
            snapshot and (snapshot.sequence, [e async for c in snapshot.chunks for e in c]),
        )
    finally:
        await log.close()


async def expected_states(directory: Path) -> list[Any]:
    """Return what is seen after each number of steps."""
    states = []
    for steps in range(STEPS + 1):
        log = await SqliteLog.open(directory / f"log{steps}")
        for step in range(steps):
            await run_step(log, step)
        await log.close()
        states.append(await view(directory / f"log{steps}"))
    return states


@pytest.mark.parametrize("action", ["error", "error-after", "full"])
async def test_a_failure_at_every_statement_leaves_the_state_before_or_after(
    tmp_path: Path, action: str
) -> None:
    """For every n: the n-th statement fails; opened anew, all of the step is there or none."""
    states = await expected_states(tmp_path)
    fail_at = 0
    while True:
        fail_at += 1
        path = tmp_path / f"faulty{fail_at}"
        Faulty.arm(action, 0)
        log = await SqliteLog.open(path, connect=Faulty)
        Faulty.arm(action, fail_at)
        done = 0
        try:
            for step in range(STEPS):
                await run_step(log, step)
                done += 1
        except LogError:
            pass
        Faulty.arm(action, 0)
        await log.close()
        assert await view(path) in states[done : done + 2]
        if done == STEPS:
            break
    assert fail_at > 20


CRASH = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[1])
from test_faults import Faulty, STEPS, run_step
from actors.log import SqliteLog
async def main(path, fail_at):
    Faulty.arm(sys.argv[3], 0)
    log = await SqliteLog.open(path, connect=Faulty)
    Faulty.arm(sys.argv[3], fail_at)
    for step in range(STEPS):
        await run_step(log, step)
        with open(path + ".done", "w") as file:
            file.write(str(step + 1))
    await log.close()
fail_at = status = 1
while status:
    child = os.fork()
    if not child:
        asyncio.run(main(f"{sys.argv[2]}/crash{fail_at}", fail_at))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, 9 << 8), status
    fail_at += 1
"""


@pytest.mark.parametrize("action", ["crash", "crash-after"])
async def test_a_crash_at_every_statement_leaves_the_state_before_or_after(
    tmp_path: Path, action: str
) -> None:
    """For every n: the process dies at the n-th statement; what it acknowledged is there."""
    states = await expected_states(tmp_path)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASH, str(Path(__file__).parent), str(tmp_path), action
    )
    assert await child.wait() == 0
    fail_at = 1
    while (path := tmp_path / f"crash{fail_at}").exists():
        report = tmp_path / f"crash{fail_at}.done"
        done = int(report.read_text()) if report.exists() else 0
        assert await view(path) in states[done : done + 2]
        fail_at += 1
    assert fail_at > 20
    assert done == STEPS


async def test_a_torn_write_ahead_log_gives_whole_batches(tmp_path: Path) -> None:
    """The power fails while the file grows: cut at every page, and within pages."""
    path = tmp_path / "log"
    log = await SqliteLog.open(path)
    states = []
    for i in range(8):
        await log.append([Append(f"k{i}", os.urandom(5000)), Append("k", b"x")])
        states.append(2 * (i + 1))
    wal = (tmp_path / "log-wal").read_bytes()
    torn = tmp_path / "torn"
    torn.mkdir()
    shutil.copyfile(path, torn / "log")
    await log.close()
    base = (torn / "log").read_bytes()
    seen = set()
    for size in sorted({*range(0, len(wal), 4120), *range(100, len(wal), 9001), len(wal)}):
        (torn / "log").write_bytes(base)
        (torn / "log-wal").write_bytes(wal[:size])
        reopened = await SqliteLog.open(torn / "log")
        seen.add(reopened.last_sequence)
        chunks = [chunk async for chunk in reopened.read()]
        assert sum(map(len, chunks)) == reopened.last_sequence
        await reopened.close()
    assert seen == {0, *states}


WRITER = """
import asyncio, sys
from actors.log import Append, SqliteLog
async def main():
    log = await SqliteLog.open(sys.argv[1])
    async def write(n):
        i = 0
        while True:
            results = await log.append([Append(f"w{n}", b"%d" % (i + j)) for j in range(3)])
            sys.stdout.write(f"{results[-1].sequence} {n} {i + 2}\\n")
            sys.stdout.flush()
            i += 3
    await asyncio.gather(*(write(n) for n in range(4)))
asyncio.run(main())
"""


async def test_kill_nine_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A process that writes is killed, twice; what it reported is there, in whole batches."""
    path = tmp_path / "log"
    acknowledged: list[tuple[int, str, bytes]] = []
    begin = 0
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(300)]
            child.kill()
            lines += [line for line in child.stdout if line.endswith("\n")]
        for line in lines:
            sequence, writer, value = line.split()
            acknowledged.append((int(sequence), f"w{writer}", value.encode()))
        log = await SqliteLog.open(path)
        found = [record async for chunk in log.read() for record in chunk]
        assert [record.sequence for record in found] == list(range(1, log.last_sequence + 1))
        assert log.last_sequence > begin
        assert log.last_sequence % 3 == 0
        assert set(acknowledged) <= set(found)
        begin = log.last_sequence
        await log.close()


async def open_faulty(path: Path) -> SqliteLog:
    """Open a log that works until it is armed."""
    Faulty.arm("error", 0)
    log = await SqliteLog.open(path, connect=Faulty)
    await log.append([Append("a", b"")])
    return log


async def test_a_full_disk_fails_the_appenders_and_the_log_goes_on(tmp_path: Path) -> None:
    """All who share the commit are told; with space again, sequences go on without a gap."""
    log = await open_faulty(tmp_path / "log")
    Faulty.arm("full", 1, ("INSERT",))
    results = await asyncio.gather(
        *(log.append([Append("b", b"")]) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [LogFull] * 3
    assert "free some space" in str(results[0])
    assert log.last_sequence == 1
    assert await log.append([Append("c", b"", expected=0)]) == [Appended(2)]
    await log.close()


async def test_a_real_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    """SQLite's own error, not an injected one."""
    log = await SqliteLog.open(tmp_path / "log")
    await log._run(lambda connection: connection.execute("PRAGMA max_page_count = 20"))
    with pytest.raises(LogFull):
        await log.append([Append("big", b"x" * 1_000_000)])
    assert await log.append([Append("small", b"x")]) == [Appended(1)]
    await log.close()
    assert (await view(tmp_path / "log"))[1] == 1


async def test_a_failed_flush_stops_the_log_until_it_is_opened_again(tmp_path: Path) -> None:
    """The outcome is not known, so nothing more is promised; reads and reopening work."""
    path = tmp_path / "log"
    log = await open_faulty(path)
    Faulty.arm("error-after", 1, ("INSERT",))
    with pytest.raises(LogFailed, match="open the log again"):
        await log.append([Append("b", b"")])
    with pytest.raises(LogFailed):
        await log.append([Append("c", b"")])
    assert [r.key async for chunk in log.read(0, limit=1) for r in chunk] == ["a"]
    await log.close()
    assert [record.key for record in (await view(path))[2]] == ["a", "b"]


async def test_a_lock_of_another_program_is_a_passing_failure(tmp_path: Path) -> None:
    """Nothing was written, and the next append works."""
    log = await open_faulty(tmp_path / "log")
    Faulty.arm("busy", 1, ("INSERT",))
    with pytest.raises(LogLocked, match="close the program"):
        await log.append([Append("b", b"")])
    assert await log.append([Append("c", b"")]) == [Appended(2)]
    await log.close()


async def test_a_failed_rollback_is_a_failed_log(tmp_path: Path) -> None:
    """Whatever goes wrong on the way back, the appender is told."""
    log = await open_faulty(tmp_path / "log")
    Faulty.arm("error", 2, ("COMMIT", "ROLLBACK", "INSERT"))
    with pytest.raises(LogFailed):
        await log.append([Append("b", b"")] * 200)
    await log.close()


async def test_creating_a_log_is_all_or_nothing(tmp_path: Path) -> None:
    """What an interrupted creation leaves behind is not taken for a log."""
    (tmp_path / "log.new").write_bytes(b"half")
    log = await SqliteLog.open(tmp_path / "log")
    assert log.last_sequence == 0
    await log.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "log.lock"]
