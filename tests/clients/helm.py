"""Runs a real Helm against a daemon under test."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.clients.kubectl import Kubectl

CHART = Path(__file__).with_name("charts") / "shop"
"""The chart of the sessions, with one of everything that charts are made of."""

DEADLINE = 40.0
"""Seconds that one command may take; one or two are normal."""


class Helm:
    """One Helm with a home of its own, in the namespace of a kubectl."""

    def __init__(self, program: Path, kube: Kubectl) -> None:
        self.program = program
        self.kube = kube
        told = subprocess.run(
            [program, "version", "--template", "{{.Version}}"],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE,
        )
        found = re.match(r"v(\d+)\.", told.stdout)
        assert found is not None, told.stdout
        self.major = int(found[1])
        self.undo_failures = "--rollback-on-failure" if self.major > 3 else "--atomic"
        self.force = "--force-conflicts" if self.major > 3 else ""

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what the program sees of its surroundings."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.kube.home),
            "KUBECONFIG": str(self.kube.daemon.kubeconfig),
            **(more or {}),
        }

    def run(
        self, command: str, *more: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``helm <command>`` in the namespace, whatever comes of it; ``CHART`` is the chart."""
        words = [str(CHART) if word == "CHART" else word for word in shlex.split(command)]
        return subprocess.run(
            [str(self.program), "-n", self.kube.namespace, *words, *more],
            env=self.environment(env),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.kube.directory,
            timeout=DEADLINE,
        )

    def __call__(self, command: str, *more: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command that must succeed; return what it printed, warnings and all."""
        done = self.run(command, *more, env=env)
        output = done.stdout + done.stderr
        assert done.returncode == 0, (
            f"{self.program.name} {command}: exit {done.returncode}\n"
            f"{output}\n{self.kube.daemon.log()[-2000:]}"
        )
        return output

    def refused(self, command: str, *more: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command that must exit with 1; return what it told of it."""
        done = self.run(command, *more, env=env)
        assert done.returncode == 1, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stderr

    def json(self, command: str, *more: str, env: Mapping[str, str] | None = None) -> Any:
        """Run ``helm <command> -o json`` and return what it printed."""
        done = self.run(f"{command} -o json", *more, env=env)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout)

    def history(self, release: str) -> list[str]:
        """Return the status of each revision, oldest first."""
        return [revision["status"] for revision in self.json(f"history {release}")]
