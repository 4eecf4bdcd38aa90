"""A kubectl for the applications' daemon."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon


@pytest.fixture
def kube(daemon: Daemon, kubectl: Path, tmp_path: Path) -> Callable[[str], str]:
    """Return a function that runs the newest kubectl and returns what it prints."""

    def run(command: str) -> str:
        done = subprocess.run(
            [str(kubectl), *shlex.split(command)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "KUBECONFIG": str(daemon.kubeconfig),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"kubectl {command}:\n{done.stdout}{done.stderr}"
        return done.stdout

    return run
