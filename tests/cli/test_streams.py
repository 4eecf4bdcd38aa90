"""A daemon goes on when nobody takes what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.streams import Unfailing

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, a device of Linux")
def test_a_log_on_a_full_disk_drops_lines() -> None:
    """Writing and flushing both."""
    with FULL.open("w") as full:
        stream = Unfailing(full)
        for _ in range(3):
            print("x" * 100_000, file=stream, flush=True)
        stream.flush()
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, full.fileno())  # lets the file close
        os.close(descriptor)


@pytest.mark.parametrize("broken", ["stdout", "stderr", "both"])
def test_what_is_said_to_nobody_changes_no_exit_code(broken: str) -> None:
    """As with ``orchestrator up | head -1``."""
    program = (
        "from orchestrator.cli.streams import say\n"
        "input()\n"
        "for _ in range(3): say('x' * 100_000); say('y' * 100_000, error=True)\n"
        "raise SystemExit(7)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if broken != "stderr" else subprocess.DEVNULL,
        stderr=subprocess.PIPE if broken != "stdout" else subprocess.DEVNULL,
    )
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()
    assert child.stdin is not None
    child.stdin.write(b"\n")
    child.stdin.close()
    assert child.wait(timeout=30) == 7
