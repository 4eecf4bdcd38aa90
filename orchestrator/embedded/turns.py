"""What concerns a whole cluster: one thing at a time, each to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from orchestrator.embedded.errors import ClusterError

T = TypeVar("T")

MEANWHILE = "this cluster was stopped while this waited for it"


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await what may have an effect although it is cancelled: a cancellation waits for its end."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        heed(task)
        raise


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task of one's own, wait until it has ended, and raise its error, if it had one.

    If whoever waits is cancelled meanwhile, that is not taken for the task's cancellation.
    """
    task.cancel()
    try:
        await asyncio.wait({task})
    finally:
        task.add_done_callback(heed)
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def heed(task: asyncio.Task[Any]) -> None:
    """Look at a task's error, should nobody wait for it any more."""
    if not task.cancelled():
        task.exception()


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
        # Set by the turn itself: by a shielded task it would come some rounds of the loop later,
        # in which all actors that a restore wakes have their turns.
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def turn() -> None:
            nonlocal begun
            try:
                async with self._lock:
                    self._require_open()
                    begun = True
                    result = await work()
            except Exception as error:  # noqa: BLE001 - raised in who waits, who may have left
                if not answer.done():
                    answer.set_exception(error)
            except BaseException:
                answer.cancel()
                raise
            else:
                if not answer.done():
                    answer.set_result(result)

        task = asyncio.create_task(turn(), name="cluster-turn")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await answer
        except asyncio.CancelledError:
            if not begun:
                task.cancel()
            raise

    def _require_open(self) -> None:
        if self._closed:
            raise ClusterError(MEANWHILE)

    async def close(self) -> None:
        """Let what has begun come to its end, and nothing else begin."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(set(self._tasks))
