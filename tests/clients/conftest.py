"""A running daemon for each module, and a namespace of its own for each test."""

from __future__ import annotations

import gc
import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.kubectl import Kubectl
from tests.e2e.daemon import Daemon

SESSION_SECONDS = 60
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
def kube(daemon: Daemon, any_kubectl: Path, namespace: str, tmp_path: Path) -> Kubectl:
    """Each kubectl at hand in turn, in a new namespace."""
    made = Kubectl(daemon, any_kubectl, namespace, tmp_path)
    made(f"create namespace {namespace}")
    return made


@pytest.fixture
def newest(daemon: Daemon, kubectl: Path, namespace: str, tmp_path: Path) -> Kubectl:
    """The newest kubectl in a new namespace, for what does not differ between versions."""
    made = Kubectl(daemon, kubectl, namespace, tmp_path)
    made(f"create namespace {namespace}")
    return made


@pytest.fixture
def kubeconfig(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of the cluster's kubeconfig, which the environment names too."""
    monkeypatch.setenv("KUBECONFIG", str(daemon.kubeconfig))
    return str(daemon.kubeconfig)


@pytest.fixture
def untidy() -> Iterator[None]:
    """Collect the connections that a library leaves to the collector, before others' tests do."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
