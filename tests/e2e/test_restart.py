"""The daemon is killed, stopped and started again; nothing is lost and nothing is left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from orchestrator.cli.demo.manifests import web_deployment, web_service
from tests.e2e.daemon import Daemon, Session

pytestmark = pytest.mark.e2e


def until(done: Callable[[], bool], what: str, deadline: float = 40) -> None:
    """Ask again until it holds; fail with ``what`` at the deadline."""
    end = time.monotonic() + deadline
    while not done():
        assert time.monotonic() < end, f"not within {deadline} s: {what}"
        time.sleep(0.1)


def containers(daemon: Daemon) -> dict[str, int]:
    """Return pod name → process id of every web server of this cluster."""
    found = {}
    for process in daemon.processes():
        try:
            if any("ThreadingHTTPServer" in word for word in process.cmdline()):
                found[process.environ()["HOSTNAME"]] = process.pid
        except psutil.Error:
            continue
    return found


def pods(session: Session) -> dict[str, dict[str, Any]]:
    """Return the web pods by name."""
    listed = session.json("get pods -l app=web")["items"]
    return {pod["metadata"]["name"]: pod for pod in listed}


def marked_deployment(daemon: Daemon) -> dict[str, Any]:
    """Return the web Deployment; its processes carry the data directory, to be found by."""
    deployment = web_deployment(python=sys.executable)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "CLUSTER_STATE", "value": str(daemon.state)}]
    return deployment


def deploy(daemon: Daemon, session: Session) -> None:
    """Apply the web Deployment and its Service and wait for the rollout."""
    text = yaml.safe_dump_all([marked_deployment(daemon), web_service()])
    session("apply -f -", stdin=text)
    session("rollout status deploy/web --timeout=30s")


def test_processes_outlive_a_killed_daemon_and_are_taken_over(
    daemon: Daemon, kubectl: Path
) -> None:
    """After ``kill -9`` the same processes serve on, with their logs, under the next daemon."""
    session = Session(daemon, kubectl)
    deploy(daemon, session)
    before = containers(daemon)
    uids = {name: pod["metadata"]["uid"] for name, pod in pods(session).items()}
    assert len(before) == 5
    address = session.json("get svc web")["spec"]["clusterIP"]
    daemon.kill()
    assert containers(daemon) == before
    lost = next(iter(before))
    os.kill(before[lost], 9)  # dies while nobody looks

    daemon.start()
    until(lambda: len(containers(daemon)) == 5, "the dead container is started again")
    until(
        lambda: all(
            pod["status"]["containerStatuses"][0]["ready"] for pod in pods(session).values()
        ),
        "all pods ready",
    )
    after = pods(session)
    assert {name: pod["metadata"]["uid"] for name, pod in after.items()} == uids
    for name, pod in after.items():
        (status,) = pod["status"]["containerStatuses"]
        if name == lost:
            assert status["restartCount"] == 1
            assert status["lastState"]["terminated"]["exitCode"] == 137
        else:
            assert status["restartCount"] == 0
            assert containers(daemon)[name] == before[name]
            assert "listening on" in session(f"logs {name}")
    assert session.json("get svc web")["spec"]["clusterIP"] == address
    assert daemon.stop() == 0
    assert daemon.processes() == []


def test_a_kill_in_the_middle_of_a_rollout_ends_in_the_right_state(
    daemon: Daemon, kubectl: Path
) -> None:
    """Killed again and again while it rolls, the Deployment still arrives."""
    session = Session(daemon, kubectl)
    deploy(daemon, session)
    session("set env deploy/web COLOR=green")
    for _ in range(3):
        time.sleep(0.2)
        daemon.kill()
        daemon.start()
    session("rollout status deploy/web --timeout=60s")
    until(lambda: len(pods(session)) == 5, "old pods are gone")
    found = pods(session)
    for pod in found.values():
        env = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
        assert env["COLOR"] == "green"
    until(lambda: containers(daemon).keys() == found.keys(), "one process for each pod")


def test_a_clean_stop_ends_every_process_and_a_start_brings_them_back(
    daemon: Daemon, kubectl: Path
) -> None:
    """SIGTERM: exit code 0, no process left; the next start runs the same pods again."""
    session = Session(daemon, kubectl)
    deploy(daemon, session)
    names = pods(session).keys()
    assert daemon.stop() == 0
    assert daemon.processes() == []
    daemon.start()
    session("rollout status deploy/web --timeout=30s")
    until(lambda: containers(daemon).keys() == names, "the same pods run again")


def test_a_closed_terminal_stops_the_daemon_as_cleanly(daemon: Daemon, kubectl: Path) -> None:
    """SIGHUP does what SIGTERM does."""
    deploy(daemon, Session(daemon, kubectl))
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.process.wait(timeout=60) == 0
    assert daemon.processes() == []
    daemon.kill()  # it has ended: this only closes its streams


def test_a_data_directory_serves_one_daemon_at_a_time(daemon: Daemon) -> None:
    """The second daemon is refused at once, in one line, and the first one does not notice."""
    second = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "up", "--port=0", f"--data-dir={daemon.state}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert second.returncode == 1
    assert "in use" in second.stderr
    assert str(daemon.state) in second.stderr
    assert "Traceback" not in second.stderr
    assert daemon.process is not None
    assert daemon.process.poll() is None


def test_a_taken_port_is_named(daemon: Daemon, tmp_path: Path) -> None:
    """A daemon whose port is taken says so and what to do."""
    port = daemon.output.split("https://127.0.0.1:")[1].split()[0]
    second = subprocess.run(
        [
            sys.executable,
            "-m",
            "orchestrator.cli",
            "up",
            f"--port={port}",
            f"--data-dir={tmp_path / 'other'}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert second.returncode == 1
    assert port in second.stderr
    assert "--port" in second.stderr
    assert "Traceback" not in second.stderr
