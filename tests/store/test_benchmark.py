"""The benchmark runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "store.py"


def test_the_benchmark_runs_small_and_reports_what_it_did() -> None:
    """In a process of its own, as a user would run it."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--tiny", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    rows = {row["name"]: row["value"] for row in json.loads(done.stdout)["rows"]}
    assert rows["all three"] > 0
    assert rows["open and replay"] > 0
