"""The demo's ways to end: by itself, kept up until a signal, or in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.e2e.daemon import Daemon

pytestmark = pytest.mark.e2e


def start(directory: Path, *options: str) -> subprocess.Popen[str]:
    """Start the demo with its temporary files in ``directory``."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "orchestrator.cli", "demo", *options],
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(demo: subprocess.Popen[str], mark: str) -> str:
    """Return what it prints up to the first line with ``mark``."""
    assert demo.stdout is not None
    output = ""
    for line in demo.stdout:
        output += line
        if mark in line:
            return output
    raise AssertionError(f"{mark!r} was not printed:\n{output}")


def left_over(directory: Path) -> list[str]:
    """Return the command lines of processes that have to do with ``directory``."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.environ().get("TMPDIR", "")]
        except psutil.Error:
            continue
        if any(str(directory) in word for word in words):
            found.append(" ".join(process.cmdline()))
    return found


def test_the_summary_is_one_json_object(tmp_path: Path) -> None:
    """``--json`` prints nothing else; all seven steps were done and everything is cleaned up."""
    output, _ = start(tmp_path, "--json").communicate(timeout=120)
    summary = json.loads(output)
    assert len(summary["steps"]) == 7
    assert summary["eventsInLog"] > 100
    assert left_over(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_kept_cluster_takes_kubectl_until_it_is_told_to_stop(
    tmp_path: Path, kubectl: Path
) -> None:
    """The printed kubeconfig works; Ctrl-C ends it with exit code 0."""
    demo = start(tmp_path, "--keep")
    try:
        output = read_until(demo, "kubectl get nodes")
        client = Daemon(tmp_path)
        client.kubeconfig = Path(output.split("KUBECONFIG=")[1].split()[0])
        ready = client.kubectl(kubectl, "get", "deploy", "web", "--no-headers")
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)
    assert "8/8" in ready.stdout, ready.stderr
    assert demo.returncode == 0
    assert left_over(tmp_path) == []


def test_a_demo_that_is_ended_early_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM in the middle of the story ends the web servers too."""
    demo = start(tmp_path)
    read_until(demo, "Deploy web")
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=60)
    assert demo.returncode == 143
    assert left_over(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
