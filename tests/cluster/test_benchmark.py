"""The benchmarks of the whole cluster, of its start and of the library run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def rows_of(benchmark: str) -> dict[str, float]:
    """Run a benchmark small, in a process of its own; its figures mean nothing."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / benchmark), "--tiny", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return {row["name"]: row["value"] for row in json.loads(done.stdout)["rows"]}


def test_the_benchmark_runs_small_and_reports_what_it_did() -> None:
    """Daemon and all."""
    rows = rows_of("cluster.py")
    assert rows["command to ready, 3 nodes"] > 0
    assert rows["supervisor beside it"] > 0
    assert rows["200 pods of one Deployment, 10 nodes, to Running"] > 0


def test_the_benchmark_of_the_start_runs_small_and_clusters_leave_nothing() -> None:
    """What a cluster holds is given back whatever the machine's speed is."""
    rows = rows_of("startup.py")
    assert rows["interpreter that imports orchestrator.Cluster"] > 0
    assert rows["20 clusters in a row"] > 0
    assert [rows[f"growth: {what}"] for what in ("descriptors", "threads", "tasks")] == [0, 0, 0]


def test_the_benchmark_of_the_library_runs_small_and_a_day_has_its_jobs() -> None:
    """Nothing is timed that did not happen."""
    rows = rows_of("embedded.py")
    assert rows["restore, 100 objects gone"] > 0
    day = next(value for name, value in rows.items() if name.startswith("0.1 virtual days"))
    assert 0.1 * 86_400 / day == pytest.approx(rows["faster than real time"])
