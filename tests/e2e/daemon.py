"""A daemon under test: the real command, real processes, a real data directory."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.cluster.addresses import SLOTS, AddressesInUseError, claim_addresses

READY_DEADLINE = 30.0
"""Seconds a daemon has to report that it is ready; about one is normal."""


WORKERS = 4
"""How many workers of the suite have addresses of their own."""


class Daemon:
    """`orchestrator up` in a directory of its own."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.options = options
        self.kubeconfig = directory / "kubeconfig"
        self.state = self._own_addresses(directory / "state")
        self.process: subprocess.Popen[str] | None = None
        self.output = ""

    @staticmethod
    def _own_addresses(state: Path) -> Path:
        """Give a new data directory addresses that another cluster hardly takes.

        Between two starts they are nobody's: a cluster that a developer starts just then takes the
        lowest that are free, so the test's are higher ones, random among other tests',
        and each worker of a suite has its share: workers begin with one state of `random`.
        """
        state.mkdir(mode=0o700)
        high = range(SLOTS // 2, SLOTS)
        if worker := os.environ.get("PYTEST_XDIST_WORKER"):
            high = high[int(worker.removeprefix("gw")) % WORKERS :: WORKERS]
        for slot in random.SystemRandom().sample(high, len(high)):
            (state / "address-slot").write_text(f"{slot}\n")
            try:
                claim_addresses(state).release()
            except AddressesInUseError:
                continue
            break
        return state

    def start(self) -> Daemon:
        """Start it and return once it says that it is ready."""
        with (self.directory / "daemon.log").open("a") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "orchestrator.cli",
                    "up",
                    "--nodes=3",
                    "--port=0",
                    f"--data-dir={self.state}",
                    f"--kubeconfig={self.kubeconfig}",
                    *self.options,
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self.output = ""
        deadline = time.monotonic() + READY_DEADLINE
        while "ready in" not in self.output:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            line = self.process.stdout.readline() if ready else ""
            if not line:
                self.kill()
                pytest.fail(f"the daemon did not get ready:\n{self.output}\n{self.log()}")
            self.output += line
        return self

    def log(self) -> str:
        """Return what it logged, over all its starts."""
        return (self.directory / "daemon.log").read_text()

    def stop(self) -> int:
        """Ask it to stop as a service manager would; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self._close()
        return code

    def kill(self) -> None:
        """End it without a chance to clean up."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)
        self._close()

    def _close(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def kubectl(
        self, program: Path, *arguments: str, stdin: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl against it."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        return subprocess.run(
            [str(program), *arguments],
            env={
                "KUBECONFIG": str(self.kubeconfig),
                "HOME": str(home),
                "PATH": os.environ["PATH"],
                "EDITOR": os.environ.get("EDITOR", "true"),
                "KUBE_EDITOR": os.environ.get("KUBE_EDITOR", "true"),
            },
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def processes(self) -> list[psutil.Process]:
        """Return every process that has to do with this cluster, the daemon included."""
        mark = str(self.state)
        found = []
        for process in psutil.process_iter():
            try:
                words = [*process.cmdline(), *process.environ().values()]
            except psutil.Error:
                continue
            if process.pid != os.getpid() and any(mark in word for word in words):
                found.append(process)
        return found


class Session:
    """One kubectl and one daemon; a command that fails fails the test with its output."""

    def __init__(self, daemon: Daemon, program: Path) -> None:
        self.daemon = daemon
        self.program = program

    def __call__(self, command: str, *more: str, stdin: str | None = None) -> str:
        """Run ``kubectl <command>``, split at blanks, and return its standard output."""
        done = self.daemon.kubectl(self.program, *command.split(), *more, stdin=stdin)
        assert done.returncode == 0, (
            f"kubectl {command} {' '.join(more)}: exit {done.returncode}\n"
            f"{done.stdout}{done.stderr}\n{self.daemon.log()[-3000:]}"
        )
        return done.stdout

    def refused(self, command: str, *more: str, stdin: str | None = None) -> str:
        """Run a command that must fail and return its standard error."""
        done = self.daemon.kubectl(self.program, *command.split(), *more, stdin=stdin)
        assert done.returncode != 0, f"kubectl {command} was not refused: {done.stdout}"
        return done.stderr

    def json(self, command: str) -> Any:
        """Run ``kubectl <command> -o json`` and return what it printed."""
        return json.loads(self(f"{command} -o json"))
