"""The daemon fixture of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A running daemon, cleanly stopped at the end; nothing of it may be left."""
    running = Daemon(tmp_path).start()
    yield running
    if running.process is not None and running.process.poll() is None:
        assert running.stop() == 0
    assert running.processes() == []
