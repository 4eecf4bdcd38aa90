"""Fixtures: a way to open each implementation of the log."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from actors.log import EventLog, MemoryLog, SqliteLog


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Give a directory in memory where there is one.

    The sweeps make thousands of commits, and a process that is killed leaves the kernel's cache
    alone: waiting for a busy disk would prove nothing more.
    """
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="log-") as directory:
        yield Path(directory)


@pytest.fixture(params=["memory", "sqlite"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventLog]:
    """Yield an empty log of each implementation."""
    made: EventLog
    made = MemoryLog() if request.param == "memory" else await SqliteLog.open(tmp_path / "log")
    yield made
    await made.close()
