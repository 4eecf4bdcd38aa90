"""Fixtures: a way to open each implementation of the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from actors.log import EventLog, MemoryLog, SqliteLog

Open = Callable[[], Awaitable[EventLog]]


@pytest.fixture(params=["memory", "sqlite"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventLog]:
    """Yield an empty log of each implementation."""
    made: EventLog
    made = MemoryLog() if request.param == "memory" else await SqliteLog.open(tmp_path / "log")
    yield made
    await made.close()
