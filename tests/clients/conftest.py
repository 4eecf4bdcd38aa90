"""A running daemon for each module, and a namespace of its own for each test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.kubectl import Kubectl
from tests.e2e.daemon import Daemon

SESSION_SECONDS = 120
"""How long one test may take; a few seconds are normal."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon with process nodes, as users start it; nothing of it may be left."""
    running = Daemon(tmp_path_factory.mktemp("clients")).start()
    yield running
    if running.process is not None and running.process.poll() is None:
        assert running.stop() == 0
    assert running.processes() == []


@pytest.fixture(autouse=True)
def deadline(daemon: Daemon) -> Iterator[None]:
    """End a session that waits for what does not come: clients tend to wait for ever."""

    def expire(number: int, frame: object) -> None:
        pytest.fail(f"the session took over {SESSION_SECONDS} s\n{daemon.log()[-2000:]}")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(SESSION_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def namespace() -> str:
    """The name of a namespace that no other test uses; who needs it creates it."""
    return f"session-{os.urandom(4).hex()}"


@pytest.fixture
def new_kubectl(
    request: pytest.FixtureRequest,
    daemon: Daemon,
    namespace: str,
    tmp_path: Path,
    kubectl_minor: Callable[[Path], int],
) -> Callable[[Path], Kubectl]:
    """Return a function that gives a kubectl a new namespace, or skips what it is too old for."""
    since = request.node.get_closest_marker("kubectl_since")

    def make(program: Path) -> Kubectl:
        minor = kubectl_minor(program)
        if since is not None and minor < since.args[0]:
            pytest.skip(f"kubectl 1.{minor} has not got all of a session for 1.{since.args[0]}")
        made = Kubectl(daemon, program, minor, namespace, tmp_path)
        made(f"create namespace {namespace}")
        return made

    return make


@pytest.fixture
def each_kube(any_kubectl: Path, new_kubectl: Callable[[Path], Kubectl]) -> Kubectl:
    """Each kubectl at hand in turn, in a new namespace."""
    return new_kubectl(any_kubectl)


@pytest.fixture
def kube(edge_kubectl: Path, new_kubectl: Callable[[Path], Kubectl]) -> Kubectl:
    """The oldest and the newest kubectl in turn, in a new namespace."""
    return new_kubectl(edge_kubectl)


@pytest.fixture
def newest(kubectl: Path, new_kubectl: Callable[[Path], Kubectl]) -> Kubectl:
    """The newest kubectl in a new namespace, for what takes long."""
    return new_kubectl(kubectl)


@pytest.fixture
def kubeconfig(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of the cluster's kubeconfig, which the environment names too."""
    monkeypatch.setenv("KUBECONFIG", str(daemon.kubeconfig))
    return str(daemon.kubeconfig)
