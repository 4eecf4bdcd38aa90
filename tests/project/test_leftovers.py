"""The suite's guard against what tests leave behind bites."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CONFTEST = """\
import tests.leftovers
from tests.leftovers import (
    no_loop_left_over, nothing_left_over, open_connections, unfinished_tasks, untidy
)

tests.leftovers.GRACE = 0.1
"""

LEAVING = """\
import asyncio, subprocess, threading, time

import pytest

kept = []

async def test_task():
    kept.append(asyncio.create_task(asyncio.sleep(60), name="forgotten task"))

def test_thread():
    threading.Thread(target=time.sleep, args=(2,), name="forgotten thread").start()

def test_child():
    kept.append(subprocess.Popen(["sleep", "2"]))

async def connect():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    kept.append(await asyncio.open_connection(*server.sockets[0].getsockname()))
    server.close()
    await server.wait_closed()

async def test_connection():
    await connect()

@pytest.mark.usefixtures("untidy")
async def test_excused_connection():
    await connect()

async def test_tidy():
    await asyncio.to_thread(subprocess.run, ["true"])
"""


def test_what_is_left_behind_fails_the_test_that_left_it(tmp_path: Path) -> None:
    """A task, a connection, a thread and a child process; a tidy test passes."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_leaving.py").write_text(LEAVING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "6 passed, 4 errors" in done.stdout, done.stdout + done.stderr
    assert "forgotten task" in done.stdout
    assert "threads left over: ['forgotten thread']" in done.stdout
    assert "(sleep 2)" in done.stdout
    assert "connections left over:\n" in done.stdout
