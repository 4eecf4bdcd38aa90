"""Files that must not be opened: one clear error each, and not a byte changed."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.log import (
    Append,
    LogCorrupt,
    LogError,
    LogFormat,
    LogLocked,
    SqliteLog,
)


async def make(path: Path, *, crashed: bool = False) -> None:
    """Write a log of 40 records and a snapshot; ``crashed`` leaves its write-ahead log behind."""
    log = await SqliteLog.open(path)
    for i in range(20):
        await log.append([Append(f"k{i}", os.urandom(3000)), Append("k", b"x")])
    await log.snapshot(5, [(f"k{i}", 1, os.urandom(100)) for i in range(600)])
    if crashed:
        copies = {name: (path.parent / name).read_bytes() for name in (path.name, "log-wal")}
        await log.close()
        for name, content in copies.items():
            (path.parent / name).write_bytes(content)
    else:
        await log.close()
    (path.parent / "log.lock").unlink()


def contents(directory: Path) -> dict[str, bytes]:
    """Return all files but the lock."""
    return {p.name: p.read_bytes() for p in directory.iterdir() if p.name != "log.lock"}


def truncate(path: Path) -> None:
    """Lose the last page."""
    os.truncate(path, path.stat().st_size - 4096)


def halve(path: Path) -> None:
    """Lose the second half."""
    os.truncate(path, path.stat().st_size // 2)


def shorten(path: Path) -> None:
    """Lose all but a part of the header."""
    os.truncate(path, 50)


def empty(path: Path) -> None:
    """Lose everything."""
    os.truncate(path, 0)


def overwrite_page(path: Path) -> None:
    """Write over the middle."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 4096)


def flip_bits(path: Path) -> None:
    """Alter payload bytes only, which SQLite itself would not notice."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"k7")
    content[at + 100] ^= 1
    path.write_bytes(bytes(content))


def lose_frames(path: Path) -> None:
    """Lose a record."""
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM frames WHERE first = 7")
    database.close()


def lose_chunk(path: Path) -> None:
    """Lose a part of the snapshot."""
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM chunks WHERE number = 2")
    database.close()


def lose_table(path: Path) -> None:
    """Lose all records."""
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE frames")
    database.close()


@pytest.mark.parametrize(
    "damage",
    [
        truncate, halve, shorten, empty, overwrite_page, flip_bits,
        lose_frames, lose_chunk, lose_table,
    ],
)  # fmt: skip
async def test_a_damaged_log_is_refused_and_left_alone(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Truncated anywhere, overwritten, or with parts missing."""
    path = tmp_path / "log"
    await make(path)
    damage(path)
    before = contents(tmp_path)
    with pytest.raises(LogCorrupt, match="restore it from a backup") as caught:
        await SqliteLog.open(path)
    assert str(path) in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("damage", [halve, shorten, overwrite_page])
async def test_damage_beside_a_write_ahead_log_is_found_before_it_is_replayed(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """After a crash as well: neither file is altered."""
    path = tmp_path / "log"
    await make(path)
    shutil.copyfile(path, tmp_path / "base")
    log = await SqliteLog.open(path)
    await log.append([Append("late", b"x")])
    wal = (tmp_path / "log-wal").read_bytes()
    await log.close()
    (tmp_path / "base").rename(path)
    (tmp_path / "log-wal").write_bytes(wal)
    (tmp_path / "log.lock").unlink()
    damage(path)
    before = contents(tmp_path)
    with pytest.raises(LogCorrupt):
        await SqliteLog.open(path)
    assert contents(tmp_path) == before


async def test_a_log_that_crashed_is_opened_with_its_write_ahead_log(tmp_path: Path) -> None:
    """What only the write-ahead log has is there."""
    path = tmp_path / "log"
    await make(path, crashed=True)
    assert (tmp_path / "log-wal").stat().st_size
    log = await SqliteLog.open(path)
    assert log.last_sequence == 40
    await log.close()


async def test_a_write_ahead_log_without_its_database_is_refused(tmp_path: Path) -> None:
    """Starting empty would destroy what the user may still put back."""
    path = tmp_path / "log"
    await make(path, crashed=True)
    path.unlink()
    before = contents(tmp_path)
    with pytest.raises(LogCorrupt, match="put both back"):
        await SqliteLog.open(path)
    assert contents(tmp_path) == before


async def test_foreign_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    """Text, and a database of another program; no lock file is left beside them."""
    text = tmp_path / "text"
    text.write_bytes(b"not a database, but longer than the header would be" * 10)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE t (x)")
    database.close()
    before = contents(tmp_path)
    for path in (text, other):
        with pytest.raises(LogFormat, match="choose another path; nothing was changed"):
            await SqliteLog.open(path)
    assert contents(tmp_path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.db", "text"]


async def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The message names both formats."""
    path = tmp_path / "log"
    await make(path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = contents(tmp_path)
    with pytest.raises(LogFormat, match="has format 99, this version reads format 1"):
        await SqliteLog.open(path)
    assert contents(tmp_path) == before


async def test_a_log_in_use_is_refused_and_names_the_process(tmp_path: Path) -> None:
    """In the same process; the one that has it goes on."""
    path = tmp_path / "log"
    log = await SqliteLog.open(path)
    await log.append([Append("a", b"")])
    before = contents(tmp_path)
    with pytest.raises(
        LogLocked, match=f"in use by process {os.getpid()}; which is this"
    ) as caught:
        await SqliteLog.open(path)
    assert caught.value.pid == os.getpid()
    assert contents(tmp_path) == before
    await log.append([Append("b", b"")])
    await log.close()
    again = await SqliteLog.open(path)
    assert again.last_sequence == 2
    await again.close()


HOLD = """
import asyncio, sys
from actors.log import SqliteLog
async def main():
    await SqliteLog.open(sys.argv[1])
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_another_process_holds_the_log_until_it_is_killed(tmp_path: Path) -> None:
    """The lock goes with the process, however it ends."""
    path = tmp_path / "log"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        with pytest.raises(LogLocked, match=f"process {child.pid}"):
            await SqliteLog.open(path)
        child.kill()
    log = await SqliteLog.open(path)
    await log.close()


async def test_a_missing_directory_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    """Neither is created nor touched."""
    with pytest.raises(LogError, match="create the directory first"):
        await SqliteLog.open(tmp_path / "none" / "log")
    with pytest.raises(LogError, match="cannot be read"):
        await SqliteLog.open(tmp_path)


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Secrets are in there."""
    log = await SqliteLog.open(tmp_path / "log")
    await log.append([Append("a", b"")])
    assert {p.stat().st_mode & 0o077 for p in tmp_path.iterdir()} == {0}
    await log.close()


async def test_a_log_that_may_not_be_written_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the first write, when everything else has started on top of it."""
    await make(tmp_path / "log")
    before = contents(tmp_path)
    real = os.open

    def read_only(path: Any, flags: int, *mode: Any, **options: Any) -> int:
        if path == tmp_path / "log" and flags & os.O_RDWR:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *mode, **options)

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(LogError, match="cannot be written: Read-only file system"):
        await SqliteLog.open(tmp_path / "log")
    assert contents(tmp_path) == before
