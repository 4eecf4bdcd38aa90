"""Fixtures shared by the whole suite: the programs that some tests need."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import stalls
from tests.leftovers import (
    no_loop_left_over,
    nothing_left_over,
    open_connections,
    unfinished_tasks,
    untidy,
)

__all__ = [  # fixtures of every test
    "no_loop_left_over",
    "nothing_left_over",
    "open_connections",
    "unfinished_tasks",
    "untidy",
]

# A busy machine is no fault of an example: neither deadlines nor slow generation fail a property.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("suite"), max_examples=5000)
settings.load_profile("suite")

HINTS = {
    "kubectl": "install kubectl (Debian: apt-get install kubernetes-client) and put it on the PATH",
    "curl": "apt-get install curl",
    "git": "apt-get install git",
    "node": "install Node.js 18 or newer (Debian: apt-get install nodejs npm)",
    "@kubernetes/client-node": "run npm install --no-package-lock in tests/clients/node, or "
    "beside a copy of its package.json in a folder that ORCHESTRATOR_TEST_NODE names",
    "helm": "install Helm and put it on the PATH, or run .ci/unpack-helm DIRECTORY and set "
    "ORCHESTRATOR_TEST_HELM=DIRECTORY",
    "client-go": "run .ci/unpack-client-go DIRECTORY and set ORCHESTRATOR_TEST_GO=DIRECTORY",
}
"""Program → how a user gets it."""


def missing(program: str) -> None:
    """Skip the test for want of ``program``, or fail where the suite must be complete.

    ``.ci/run`` sets ``ORCHESTRATOR_TEST_COMPLETE`` after it installed every part; a part that is
    missing there is a fault of the installation, not a reason to skip.
    """
    text = f"{program} is not on this machine: {HINTS.get(program, 'install it')}"
    if os.environ.get("ORCHESTRATOR_TEST_COMPLETE"):
        pytest.fail(text)
    pytest.skip(f"needs a part: {text}")


@pytest.fixture(scope="session")
def require_program() -> Callable[[str], str]:
    """Return a function that finds a program, or skips and says how to install it."""

    def find(program: str) -> str:
        found = shutil.which(program)
        if found is None:
            missing(program)
        return str(found)

    return find


SLOW = frozenset({"e2e", "simulation"})
"""Marks of tests that take seconds."""


def pytest_configure(config: pytest.Config) -> None:
    """Hand files to workers in their order here, and watch over tests that take very long.

    A file of few tests is often one of slow tests; at the end one worker would be left with it.
    """
    config.option.loadscopereorder = False
    stalls.pytest_configure(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files of slow tests come first, so that what is left at the end is small."""
    slow = {
        item.path for item in items if SLOW.intersection(mark.name for mark in item.iter_markers())
    }
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Let no test see how another one set up the log: commands that run in this process do."""
    yield
    structlog.reset_defaults()


def versions_beside(folder: Path, pattern: str) -> dict[int, Path]:
    """Return the programs of a folder that are named after their version, by its last number."""
    return {
        int(path.name.rsplit(".", 1)[-1]): path
        for path in folder.glob(pattern)
        if path.name.rsplit(".", 1)[-1].isdigit() and os.access(path, os.X_OK)
    }


def unpacked(pattern: str) -> dict[int, Path]:
    """Return the programs that ``.ci/unpack-helm`` unpacked, by version."""
    folder = os.environ.get("ORCHESTRATOR_TEST_HELM")
    return versions_beside(Path(folder), pattern) if folder else {}


@functools.cache
def kubectl_binaries() -> list[Path]:
    """Return every kubectl on the machine, oldest first.

    Some installations put a dispatcher on the PATH and one binary for each version beside the
    program it points to (``kubectl.1.31``); all of them count, and so do those that
    ``.ci/unpack-helm`` unpacked. A lone kubectl is enough.
    """
    versions = unpacked("kubectl.1.*")
    found = shutil.which("kubectl")
    if found is not None:
        program = Path(found).resolve()
        beside = versions_beside(program.parent, "kubectl.1.*")
        if not beside:
            beside = {_minor(program) if versions else 0: program}
        versions |= beside
    return [versions[minor] for minor in sorted(versions)]


@functools.cache
def helm_binaries() -> list[Path]:
    """Return every Helm at hand, oldest first: the unpacked ones, or else the one on the PATH."""
    versions = unpacked("helm.*")
    found = shutil.which("helm")
    if not versions and found is not None:
        return [Path(found)]
    return [versions[major] for major in sorted(versions)]


@functools.cache
def _minor(program: Path) -> int:
    told = subprocess.run(
        [program, "version", "--client", "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = re.search(r'"gitVersion": "v1\.(\d+)\.', told.stdout)
    assert found is not None, f"{program} does not tell its version: {told.stdout}"
    return int(found[1])


@pytest.fixture(scope="session")
def kubectl_minor() -> Callable[[Path], int]:
    """Return a function that tells the minor version of a kubectl.

    The whole session works from 1.27 on. Debian's stable release still has 1.20: it is tested too,
    without the few commands that it has not got or that ask the server for what is long gone.
    """
    return _minor


@pytest.fixture(scope="session")
def kubectls() -> list[Path]:
    """Every kubectl at hand, or a skip that says how to get one."""
    found = kubectl_binaries()
    if not found:
        missing("kubectl")
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take ``any_kubectl`` with each at hand, ``edge_kubectl`` with two of them."""
    found = kubectl_binaries()
    edges = list(dict.fromkeys([*found[:1], *found[-1:]]))
    for name, programs in (("any_kubectl", found), ("edge_kubectl", edges)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(
                name,
                programs or [None],
                indirect=True,
                ids=[path.name for path in programs] or ["none"],
            )


@pytest.fixture
def any_kubectl(request: pytest.FixtureRequest) -> Path:
    """One kubectl; the test runs for each that the machine has."""
    if request.param is None:
        missing("kubectl")
    return Path(request.param)


@pytest.fixture
def edge_kubectl(request: pytest.FixtureRequest) -> Path:
    """The oldest or the newest kubectl, for what differs little between versions."""
    if request.param is None:
        missing("kubectl")
    return Path(request.param)


@pytest.fixture(scope="session")
def kubectl(kubectls: list[Path]) -> Path:
    """The newest kubectl at hand."""
    return kubectls[-1]
