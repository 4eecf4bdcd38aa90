"""The fixtures for pytest-asyncio: a cluster on whichever event loop the test runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Literal

import pytest
import pytest_asyncio

from orchestrator.testing.living import living, put_back
from orchestrator.testing.plugin import settings_for

if TYPE_CHECKING:
    from orchestrator import Cluster

Scope = Literal["session", "package", "module", "class", "function"]


def loop_scope_of(item: pytest.Item) -> str | None:
    """Return the scope of the loop that pytest-asyncio runs a test on; None where it does not."""
    if not pytest_asyncio.is_async_test(item):
        return None
    mark = item.get_closest_marker("asyncio")
    given = (mark.kwargs.get("loop_scope") or mark.kwargs.get("scope")) if mark else None
    try:
        default = item.config.getini("asyncio_default_test_loop_scope")
    except ValueError:  # before 0.26
        default = None
    return str(given or default or "function")


def _cluster_on(scope: Scope) -> Any:
    @pytest_asyncio.fixture(loop_scope=scope, name=f"_cluster_on_{scope}_loop")
    async def on_loop(
        request: pytest.FixtureRequest, cluster_version: str | None
    ) -> AsyncIterator[Cluster]:
        async with living(settings_for(request, cluster_version), request.node) as found:
            yield found

    return on_loop


on_function_loop = _cluster_on("function")
on_class_loop = _cluster_on("class")
on_module_loop = _cluster_on("module")
on_package_loop = _cluster_on("package")
on_session_loop = _cluster_on("session")


@pytest_asyncio.fixture(loop_scope="session", scope="session", name="_shared_cluster_on_asyncio")
async def shared_on_asyncio(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """Run the session's cluster on the session's loop."""
    async with living(settings_for(request), request.session) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session", name="_shared_cluster_apart_on_session_loop")
async def apart_on_session_loop(
    request: pytest.FixtureRequest, shared_cluster: Cluster
) -> AsyncIterator[None]:
    """Put the session's cluster back after a test."""
    async with put_back(shared_cluster, request.node):
        yield
