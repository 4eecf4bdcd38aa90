"""The watch benchmark runs, and every watcher gets every event."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_runs_tiny() -> None:
    """It fails when an event is lost, so that it ends well is the check."""
    done = subprocess.run(
        [sys.executable, "benchmarks/watch.py", "--tiny", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    names = [row["name"] for row in json.loads(done.stdout)["rows"]]
    assert names[1] == "20 watchers, 50 writes/s, 2 that never read: p99"
