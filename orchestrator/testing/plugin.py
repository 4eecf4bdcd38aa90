"""The pytest plugin: fixtures, options, the marker, and the cluster in a failed test's report.

pytest loads this module in every project where the library is installed: it imports nothing of the
library until a fixture is used.
"""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestrator.testing import settings as asked
from orchestrator.testing.opened import Opened

if TYPE_CHECKING:
    from orchestrator import Cluster, SyncCluster
    from orchestrator.testing.settings import Settings

SHARED: Final = ("shared_cluster", "shared_sync_cluster")
"""Fixtures of the whole session; tests that use them are kept apart by snapshots."""
_APART: Final = "_shared_cluster_apart"
_OPENED: Final[pytest.StashKey[Opened]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--cluster-version`` and the others."""
    asked.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker; bring fixtures for pytest-asyncio where that is at work."""
    _spare_the_library(sys.meta_path)
    config.addinivalue_line(
        "markers",
        "cluster(nodes, version, versions, time, seed, apply, faults, ...): what the test's "
        "cluster is like: arguments of orchestrator.Cluster; version, or versions for a run "
        "with each; apply, what is there before the test; faults, arguments of cluster.faults.api",
    )
    if config.pluginmanager.hasplugin("asyncio"):
        try:
            from orchestrator.testing import asyncio_fixtures
        except (ImportError, TypeError):  # before 0.24: whoever uses a fixture is told
            return
        config.pluginmanager.register(asyncio_fixtures, "orchestrator-asyncio")


def _spare_the_library(finders: list[Any]) -> None:
    """Have pytest load the library as Python does.

    pytest writes the assertions anew of all packages of a distribution that brings a plugin, so
    that they explain themselves: nine hundred modules that assert nothing about a test would take
    two seconds where no compiled files are kept.
    """
    for finder in finders:
        marked = getattr(finder, "_must_rewrite", None)  # there is no public way to say it
        if isinstance(marked, set):
            marked -= {"actors", "orchestrator"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with each of the ``versions`` that its marker names."""
    if "cluster_version" in metafunc.fixturenames:
        versions = asked.versions_of(metafunc.definition)
        if versions:
            ids = [f"kubernetes-{version}" for version in versions]
            metafunc.parametrize("cluster_version", versions, ids=ids, indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests that share a cluster apart, before any fixture of their own is set up."""
    names = getattr(item, "fixturenames", None)
    if names is None or _APART in names or not any(name in names for name in SHARED):
        return
    # The definitions of fixtures are pytest's own; without them the place is after the shared one.
    found = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    own = (
        at for at, name in enumerate(names) if name in found and found[name][-1].scope == "function"
    )
    names.insert(next(own, len(names)), _APART)


# -- fixtures


@pytest.fixture
def cluster_version(request: pytest.FixtureRequest) -> str | None:
    """The Kubernetes version of the test's cluster; None for the newest."""
    given = getattr(request, "param", None) or asked.marked(request.node).get("version")
    found = given or asked.option(request.config, "version")
    return str(found) if found else None


@pytest.fixture
def cluster(request: pytest.FixtureRequest, cluster_version: str | None) -> Cluster:  # noqa: ARG001 - tests are run for each of its values
    """A cluster of the test's own, started, on the event loop that the test runs on.

    For tests that are run by pytest-asyncio or by anyio's plugin; others have `sync_cluster`.
    """
    way = _way_of(request)
    found: Cluster = request.getfixturevalue(f"_cluster_on_{way}")
    return found


@pytest.fixture
def sync_cluster(
    request: pytest.FixtureRequest, cluster_version: str | None
) -> Iterator[SyncCluster]:
    """A cluster of the test's own, started, for tests without asyncio: `Cluster.sync`."""
    from orchestrator.testing.living import living_apart

    with living_apart(settings_for(request, cluster_version), request.node) as found:
        yield found


@pytest.fixture(scope="session")
def shared_cluster_arguments() -> dict[str, Any]:
    """What the shared clusters are like: arguments of `Cluster`; for a project to say."""
    return {}


@pytest.fixture(scope="session")
def shared_cluster(request: pytest.FixtureRequest) -> Cluster:
    """A cluster of the whole session; after each test it is what it was before it.

    What fixtures of session, package, module or class scope have put there stays for all tests.
    It lives on the session's event loop: tests have to run there too.
    """
    from importlib import metadata

    if "anyio_backend" in request.fixturenames:
        _require_session_backend(request)
        way = "anyio"
    elif request.config.pluginmanager.hasplugin("orchestrator-asyncio"):
        way = "asyncio"
        version = metadata.version("pytest-asyncio")
        if version.startswith("0."):
            pytest.fail(_OLD.format(version=version), pytrace=False)
    else:
        pytest.fail(_NO_LOOP.format(name="shared_cluster", twin=SHARED[1]), pytrace=False)
    found: Cluster = request.getfixturevalue(f"_shared_cluster_on_{way}")
    return found


@pytest.fixture(scope="session")
def shared_sync_cluster(request: pytest.FixtureRequest) -> Iterator[SyncCluster]:
    """As `shared_cluster`, for tests without asyncio."""
    from orchestrator.testing.living import living_apart

    with living_apart(settings_for(request), request.session) as found:
        yield found


@pytest.fixture
def _shared_cluster_apart(request: pytest.FixtureRequest) -> None:
    """Put what tests share back, each by the way it lives."""
    if SHARED[1] in request.fixturenames:
        request.getfixturevalue("_shared_sync_cluster_apart")
    if SHARED[0] in request.fixturenames:
        way = _way_of(request, SHARED[0], SHARED[1])
        if way not in ("anyio", "session_loop"):
            pytest.fail(_OTHER_LOOP.format(scope=way.removesuffix("_loop")), pytrace=False)
        request.getfixturevalue(f"_shared_cluster_apart_on_{way}")


@pytest.fixture
def _shared_sync_cluster_apart(
    request: pytest.FixtureRequest, shared_sync_cluster: SyncCluster
) -> Iterator[None]:
    from orchestrator.testing.living import put_back_apart

    with put_back_apart(shared_sync_cluster, request.node):
        yield


# -- fixtures for anyio's plugin, which takes plain async functions


@pytest.fixture
async def _cluster_on_anyio(
    request: pytest.FixtureRequest, cluster_version: str | None, anyio_backend: Any
) -> AsyncIterator[Cluster]:
    from orchestrator.testing.living import living

    _require_asyncio(anyio_backend)
    async with living(settings_for(request, cluster_version), request.node) as found:
        yield found


@pytest.fixture(scope="session")
async def _shared_cluster_on_anyio(
    request: pytest.FixtureRequest, anyio_backend: Any
) -> AsyncIterator[Cluster]:
    from orchestrator.testing.living import living

    _require_asyncio(anyio_backend)
    async with living(settings_for(request), request.session) as found:
        yield found


@pytest.fixture
async def _shared_cluster_apart_on_anyio(
    request: pytest.FixtureRequest,
    shared_cluster: Cluster,
    anyio_backend: Any,  # noqa: ARG001 - says that anyio runs it
) -> AsyncIterator[None]:
    from orchestrator.testing.living import put_back

    async with put_back(shared_cluster, request.node):
        yield


# -- which way a test runs

_NO_LOOP: Final = (
    "{name} is for async tests, which pytest-asyncio from 0.24 on (pytest.mark.asyncio, or "
    "asyncio_mode = auto) or anyio's plugin (pytest.mark.anyio) runs; this one is run by neither: "
    "ask for {twin}, whose methods need no await"
)
_OLD: Final = (
    "pytest-asyncio {version} ends the session's event loop before what lives there: "
    "shared_cluster needs 1.0 or newer; or ask for shared_sync_cluster"
)
_OTHER_LOOP: Final = (
    "shared_cluster lives on the event loop of the session, and this test runs on that of its "
    "{scope}: mark it, or its module with pytestmark, as "
    "pytest.mark.asyncio(loop_scope='session'); or set asyncio_default_test_loop_scope = session "
    "and asyncio_default_fixture_loop_scope = session; or ask for shared_sync_cluster"
)
_BACKEND: Final = "write @pytest.fixture(scope='session') def anyio_backend(): return 'asyncio'"


def _way_of(
    request: pytest.FixtureRequest, name: str = "cluster", twin: str = "sync_cluster"
) -> str:
    """Return the last part of the name of the fixture that suits how the test is run."""
    if request.config.pluginmanager.hasplugin("orchestrator-asyncio"):
        from orchestrator.testing import asyncio_fixtures

        scope = asyncio_fixtures.loop_scope_of(request.node)
        if scope is not None:
            return f"{scope}_loop"
    if "anyio_backend" in request.fixturenames:
        return "anyio"
    pytest.fail(_NO_LOOP.format(name=name, twin=twin), pytrace=False)


def _require_asyncio(backend: Any) -> None:
    name = backend if isinstance(backend, str) else backend[0]
    if name != "asyncio":
        pytest.fail(f"a cluster lives on asyncio, not on {name}: {_BACKEND}", pytrace=False)


def _require_session_backend(request: pytest.FixtureRequest) -> None:
    try:
        request.getfixturevalue("anyio_backend")
    except pytest.fail.Exception as error:
        if "ScopeMismatch" not in str(error):
            raise
        text = f"shared_cluster needs an event loop for the whole session: {_BACKEND}"
        raise pytest.fail.Exception(text, pytrace=False) from None


def settings_for(request: pytest.FixtureRequest, version: str | None = None) -> Settings:
    """Return what the requesting test asks for, or what holds for all tests of a session."""
    node = request.node if isinstance(request.node, pytest.Item) else None
    if node is None:
        found = asked.option(request.config, "version")
        version = str(found) if found else None
    drawn = random.SystemRandom().getrandbits(32)
    found = asked.settings_of(request.config, node, version, drawn)
    if node is not None:
        return found
    more = request.getfixturevalue("shared_cluster_arguments")
    return found._replace(arguments={**found.arguments, **more})


# -- reports


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Follow the clusters that the test opens itself."""
    opened = item.stash[_OPENED] = Opened()
    with opened.following():
        try:
            return (yield)
        finally:
            del item.stash[_OPENED]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the clusters of a test that has failed, as they are at that moment."""
    spared = not item.config.getoption("fulltrace", default=False)
    if call.excinfo is not None and spared and "orchestrator.embedded" in sys.modules:
        from orchestrator.testing.traces import shorten

        shorten(call.excinfo, item.config.rootpath)
    report = yield
    if report.failed and report.when != "teardown":
        owners: list[pytest.Item | pytest.Session] = [item]
        if any(name in getattr(item, "fixturenames", ()) for name in SHARED):
            owners.append(item.session)
        found = [each for owner in owners for each in owner.stash.get(asked.ALIVE, [])]
        everyone = [*found, *item.session.stash.get(asked.ALIVE, [])]
        if "orchestrator.embedded" in sys.modules:
            from orchestrator.testing.reports import titled, told

            own = item.stash.get(_OPENED, Opened())
            report.sections += titled([*map(told, found), *own.texts(everyone)])
    return report
