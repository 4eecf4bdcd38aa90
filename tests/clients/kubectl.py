"""Runs a real kubectl against a daemon under test."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import yaml

from tests.e2e.daemon import Daemon

DEADLINE = 60.0
"""Seconds that one command may take; a hundred milliseconds are normal."""


class Kubectl:
    """One kubectl with a home, a cache and a namespace of its own."""

    def __init__(
        self, daemon: Daemon, program: Path, minor: int, namespace: str, directory: Path
    ) -> None:
        self.daemon = daemon
        self.program = program
        self.minor = minor
        self.namespace = namespace
        self.directory = directory
        self.home = directory / "home"
        self.home.mkdir(exist_ok=True)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what the program sees of its surroundings."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "KUBECONFIG": str(self.daemon.kubeconfig),
            **(more or {}),
        }

    def words(self, command: str, more: tuple[str, ...]) -> list[str]:
        """Return the whole command line; ``config`` takes no namespace of its own."""
        words = shlex.split(command)
        namespace = [] if words[0] == "config" else ["-n", self.namespace]
        return [str(self.program), *namespace, *words, *more]

    def run(
        self,
        command: str,
        *more: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``kubectl <command>``, whatever comes of it."""
        return subprocess.run(
            self.words(command, more),
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
            timeout=DEADLINE,
        )

    def __call__(
        self,
        command: str,
        *more: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command that must succeed; return what it printed, warnings and all."""
        done = self.run(command, *more, stdin=stdin, env=env)
        output = done.stdout + done.stderr
        assert done.returncode == 0, (
            f"{self.program.name} {command} {' '.join(more)}: exit {done.returncode}\n"
            f"{output}\n{self.daemon.log()[-2000:]}"
        )
        return output

    def refused(
        self,
        command: str,
        *more: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command that must exit with 1; return what it printed."""
        done = self.run(command, *more, stdin=stdin, env=env)
        output = done.stdout + done.stderr
        assert done.returncode == 1, f"{command} {' '.join(more)}: {done.returncode}\n{output}"
        return output

    def json(self, command: str, *more: str, stdin: str | None = None) -> Any:
        """Run ``kubectl <command> -o json`` and return what it printed."""
        done = self.run(f"{command} -o json", *more, stdin=stdin)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout)

    def apply(self, *objects: Mapping[str, Any], options: str = "") -> str:
        """Apply manifests that are handed over on standard input."""
        return self(f"apply {options} -f -", stdin=yaml.safe_dump_all(objects))

    @contextlib.contextmanager
    def background(
        self, command: str, *more: str, env: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a command beside the test; it is ended with the block, or at the deadline."""
        with subprocess.Popen(
            self.words(command, more),
            env=self.environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
        ) as process:
            deadline = threading.Timer(DEADLINE, process.kill)
            deadline.start()
            try:
                yield process
            finally:
                deadline.cancel()
                process.terminate()
                process.wait(timeout=10)


def next_line(stream: IO[str] | None, word: str) -> str:
    """Read lines up to one that has ``word`` in it."""
    assert stream is not None
    seen = ""
    for line in stream:
        if word in line:
            return line
        seen += line
    raise AssertionError(f"{word!r} did not come:\n{seen}")


def sleeper(name: str, *, replicas: int = 1, **labels: str) -> dict[str, Any]:
    """Return a Deployment of processes that do nothing, so that its pods become ready."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name, **labels}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [
                        {"name": "main", "image": "sleeper:1", "command": ["sleep", "3600"]}
                    ],
                },
            },
        },
    }


def config_map(
    name: str, *, labels: Mapping[str, str] | None = None, **data: str
) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **({"labels": dict(labels)} if labels else {})},
        "data": data,
    }
