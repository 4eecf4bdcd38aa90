"""The benchmark of the whole cluster runs, daemon and all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "cluster.py"


def test_the_benchmark_runs_small_and_reports_what_it_did() -> None:
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
    assert rows["command to ready, 3 nodes"] > 0
    assert rows["supervisor beside it"] > 0
    assert rows["200 pods of one Deployment, 10 nodes, to Running"] > 0
