"""The benchmark of expressions and policies runs, and does the work it reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_runs_tiny() -> None:
    """It prints JSON with its rates; figures of so small a run mean nothing."""
    done = subprocess.run(
        [sys.executable, "benchmarks/cel.py", "--tiny", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    names = {row["name"] for row in json.loads(done.stdout)["rows"]}
    assert {"two fields: evaluations", "creations with a policy", "compilations"} <= names
