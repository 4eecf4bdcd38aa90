"""A running daemon for each module, and a namespace of its own for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.kubectl import Kubectl
from tests.e2e.daemon import Daemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon with process nodes, as users start it; nothing of it may be left."""
    running = Daemon(tmp_path_factory.mktemp("clients")).start()
    yield running
    if running.process is not None and running.process.poll() is None:
        assert running.stop() == 0
    assert running.processes() == []


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
