"""The API benchmark runs, and does the work it reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_runs_tiny() -> None:
    """It prints JSON with both ratios; figures of so small a run mean nothing."""
    done = subprocess.run(
        [sys.executable, "benchmarks/api.py", "--tiny", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    names = {row["name"] for row in json.loads(done.stdout)["rows"]}
    assert {"get / bare", "create / bare"} <= names


def test_the_protobuf_benchmark_runs_tiny() -> None:
    """It reports both encodings, one pod and a list."""
    done = subprocess.run(
        [sys.executable, "benchmarks/protobuf.py", "--tiny", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    names = {row["name"] for row in json.loads(done.stdout)["rows"]}
    assert {"pod, encode protobuf", "list, protobuf, kept (500 pods)"} <= names
