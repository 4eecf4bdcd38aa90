"""The scheduler's benchmark, tiny."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_benchmark_runs_and_reports() -> None:
    """It places every pod and says on what machine, commit and seed."""
    script = Path(__file__).parents[2] / "benchmarks" / "scheduler.py"
    done = subprocess.run(
        [sys.executable, str(script), "--tiny", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    report = json.loads(done.stdout)
    assert report["benchmark"] == "scheduler"
    assert report["seed"] == 1
    assert all(row["value"] > 0 for row in report["rows"])
