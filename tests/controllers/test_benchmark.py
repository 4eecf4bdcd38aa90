"""The benchmark of the controllers runs: rollover, a namespace's end, rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "controllers.py"


def test_the_benchmark_runs_tiny_and_reports_what_it_did() -> None:
    """In a process of its own; figures of so small a run mean nothing."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--tiny", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row["value"] for row in json.loads(done.stdout)["rows"]}
    assert rows["rollover of 100 pods, 25 %/25 %"] > 0
    assert rows["end of a namespace with 200 objects"] > 0
    assert rows["50 Deployments at rest"] >= 0
