"""What concerns a whole cluster: one thing at a time, each to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from orchestrator.embedded.errors import ClusterError

T = TypeVar("T")

MEANWHILE = "this cluster was stopped while this waited for it"


class Turns:
    """Lets restores, restarts, crashes of nodes and the like not meet each other.

    Half of one would leave a cluster that nobody has asked for. So it goes on though whoever waits
    for it is cancelled; the next one waits for it, and so does the cluster's end.
    """

    def __init__(self) -> None:
        """Begin with nothing under way."""
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def take(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something when what was asked for before is done; returns what it returns.

        Raises:
            ClusterError: The cluster has been stopped before it could begin.
        """
        begun = False

        async def turn() -> T:
            nonlocal begun
            async with self._lock:
                if self._closed:
                    raise ClusterError(MEANWHILE)
                begun = True
                return await work()

        task = asyncio.create_task(turn(), name="cluster-turn")
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not begun:
                task.cancel()
            raise

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it may have left

    async def close(self) -> None:
        """Let what has begun come to its end, and nothing else begin."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(set(self._tasks))
