"""A cluster at a kubeconfig, and a namespace of it for each test.

``OPERATORS_KUBECONFIG`` names the kubeconfig: kind's, say. Unless it is set, the tests start the
daemon of this project with processes as containers.

    kind create cluster --kubeconfig kind.yaml
    OPERATORS_KUBECONFIG=$PWD/kind.yaml pytest tests/operators/kind_style
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, ServiceAccount

from tests.e2e.daemon import Daemon
from tests.operators.kind_style.pace import Pace


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of the cluster under test."""
    given = os.environ.get("OPERATORS_KUBECONFIG")
    if given:
        yield Path(given)
        return
    daemon = Daemon(tmp_path_factory.mktemp("operators")).start()
    yield daemon.kubeconfig
    assert daemon.stop() == 0


@pytest.fixture
def pace(record_property: Any) -> Iterator[Pace]:
    """What waits, and tells the report for how long."""
    made = Pace()
    yield made
    record_property("asleep", made.asleep)
    record_property("longer", made.longer)


@pytest.fixture
def client(kubeconfig: Path, pace: Pace) -> Iterator[Client]:
    """A client whose namespace is the test's own."""
    config = KubeConfig.from_file(kubeconfig).get()
    name = f"operators-{uuid.uuid4().hex[:8]}"
    with Client(config=config, namespace=name, field_manager="tests") as made:
        made.create(Namespace(metadata=ObjectMeta(name=name)))
        pace.until(lambda: found(made, ServiceAccount, "default"))
        yield made
        made.delete(Namespace, name)


def found(client: Client, kind: Any, name: str) -> Any:
    """Return an object, or None where there is none."""
    try:
        return client.get(kind, name)
    except ApiError as error:
        if error.status.code != 404:
            raise
        return None


class Programs:
    """Processes of a test, with what they say; those that still run are killed at its end."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self.kubeconfig = kubeconfig
        self.directory = directory
        self.exits = contextlib.ExitStack()

    def start(self, name: str, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Run a Python program."""
        log = self.exits.enter_context((self.directory / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), **settings},
            stdout=log,
            stderr=log,
        )
        self.exits.callback(process.wait)
        self.exits.callback(process.kill)
        return process

    def said(self, name: str) -> str:
        """Return what a program has said so far."""
        return (self.directory / f"{name}.log").read_text()


@pytest.fixture
def programs(kubeconfig: Path, tmp_path: Path) -> Iterator[Programs]:
    """What starts programs."""
    made = Programs(kubeconfig, tmp_path)
    with made.exits:
        yield made
