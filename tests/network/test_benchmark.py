"""The network's benchmark, tiny."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_benchmark_runs_and_reports() -> None:
    """Each figure direct and through the Service, with what it ran on."""
    script = Path(__file__).parents[2] / "benchmarks" / "network.py"
    done = subprocess.run(
        [sys.executable, str(script), "--tiny", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    report = json.loads(done.stdout)
    assert report["benchmark"] == "network"
    assert report["seed"] == 1
    assert len(report["rows"]) == 9
    assert all(row["value"] > 0 for row in report["rows"])
