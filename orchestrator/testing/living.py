"""A cluster's life around a test: started, prepared, watched over, ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from orchestrator.testing.settings import ALIVE, settings_beside

if TYPE_CHECKING:
    from orchestrator import Cluster, SyncCluster
    from orchestrator.testing.settings import Settings

STOP_SECONDS: Final = 30.0
"""Real seconds for a cluster to end; containers that are processes get 10 of them."""
_OURS: Final = tuple(
    f"{Path(__file__).resolve().parents[2] / name}/" for name in ("orchestrator", "actors")
)
"""Where the code of a cluster's tasks is."""


@contextlib.asynccontextmanager
async def living(settings: Settings, node: pytest.Item | pytest.Session) -> AsyncIterator[Cluster]:
    """Run a cluster on the running loop.

    Args:
        settings: What it is like.
        node: What it belongs to; reports are about its clusters.

    Raises:
        ClusterError: It did not end, or left tasks.
    """
    before = asyncio.all_tasks()
    cluster = settings.cluster()
    await cluster.start()
    alive = node.stash.setdefault(ALIVE, [])
    alive.append(cluster)
    try:
        async with prepared(cluster, settings):
            yield cluster
    finally:
        alive.remove(cluster)
        others = bool(alive or node.session.stash.get(ALIVE, []))
        await _end(cluster, None if others else before)


@contextlib.contextmanager
def living_apart(settings: Settings, node: pytest.Item | pytest.Session) -> Iterator[SyncCluster]:
    """Run a cluster on a thread of its own; see `living`."""
    from orchestrator.embedded.sync import SyncCluster

    cluster = SyncCluster(settings.cluster())
    alive = node.stash.setdefault(ALIVE, [])
    with cluster:
        alive.append(cluster)
        try:
            with prepared_apart(cluster, settings):
                yield cluster
        finally:
            alive.remove(cluster)


@contextlib.asynccontextmanager
async def prepared(cluster: Cluster, settings: Settings) -> AsyncIterator[None]:
    """Apply what a test wants to be there, and put its faults into force for the block."""
    with contextlib.ExitStack() as faults:
        for source in settings.apply:
            await cluster.apply(source)
        for fault in settings.faults:
            faults.enter_context(cluster.faults.api(**fault))
        yield


@contextlib.contextmanager
def prepared_apart(cluster: SyncCluster, settings: Settings) -> Iterator[None]:
    """Do as `prepared`."""
    with contextlib.ExitStack() as faults:
        for source in settings.apply:
            cluster.apply(source)
        for fault in settings.faults:
            faults.enter_context(cluster.faults.api(**fault))
        yield


@contextlib.asynccontextmanager
async def put_back(cluster: Cluster, node: pytest.Item) -> AsyncIterator[None]:
    """Give a test a cluster that it shares with others; make it what it was, afterwards."""
    settings = settings_beside(node)
    before = await cluster.snapshot()
    try:
        async with prepared(cluster, settings):
            yield
    finally:
        cluster.faults.clear()
        await cluster.restore(before)


@contextlib.contextmanager
def put_back_apart(cluster: SyncCluster, node: pytest.Item) -> Iterator[None]:
    """Do as `put_back`."""
    settings = settings_beside(node)
    before = cluster.snapshot()
    try:
        with prepared_apart(cluster, settings):
            yield
    finally:
        cluster.faults.clear()
        cluster.restore(before)


async def _end(cluster: Cluster, before: set[asyncio.Task[object]] | None) -> None:
    from orchestrator import ClusterError

    try:
        async with asyncio.timeout(STOP_SECONDS):
            await cluster.stop()
    except TimeoutError:
        raise ClusterError(
            f"the test's cluster did not end within {STOP_SECONDS:g} s of real time; under way:\n"
            + _told(asyncio.all_tasks())
        ) from None
    if before is None:
        return  # those of another cluster cannot be told from its own
    left = {task for task in asyncio.all_tasks() - before if _is_ours(task)}
    if left:
        raise ClusterError(
            "tasks go on after the test's cluster has ended; the test may have started one that "
            f"waits for the cluster, and has to end it:\n{_told(left)}"
        )


def _is_ours(task: asyncio.Task[object]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    file = str(getattr(code, "co_filename", ""))
    return not task.done() and task is not asyncio.current_task() and file.startswith(_OURS)


def _told(tasks: set[asyncio.Task[object]]) -> str:
    own = asyncio.current_task()
    return "\n".join(sorted(f"  {task!r}" for task in tasks if task is not own))
