"""A cluster without asyncio whose threads are in the middle of something when another ends it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator import Cluster, ClusterError, SyncCluster
from orchestrator.embedded.sync.portal import Portal
from tests.embedded.kit import config_map


class Doing:
    """Does something on a thread of its own; what came of it is asked for."""

    def __init__(self, work: Callable[[], Any]) -> None:
        """Begin."""
        self.found: Any = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name="doing")
        self._thread.start()

    def _run(self) -> None:
        try:
            self.found = self._work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.found = error

    def result(self) -> Any:
        """Wait for its end."""
        self._thread.join(20)
        assert not self._thread.is_alive(), "it stands"
        return self.found


def watching(cluster: SyncCluster) -> tuple[Any, Doing]:
    """Return a watch, and who waits for its next event."""
    seen = threading.Event()
    stream = cluster.api.watch("cm")

    def work() -> list[str]:
        names = []
        for event in stream:
            names.append(event.object["metadata"]["name"])
            if names[-1] == "settings":
                seen.set()
        return names

    doing = Doing(work)
    assert seen.wait(20)
    time.sleep(0.01)  # by now it waits for the next one, or will at once
    return stream, doing


@pytest.mark.parametrize("closes", [False, True], ids=["by the end", "by another thread"])
def test_a_watch_that_a_thread_waits_in_ends(closes: bool) -> None:
    """As with its last piece: the thread goes on after its loop, and so does who ends it."""
    with Cluster.sync(nodes=0, listen=None) as cluster:
        cluster.apply(config_map())
        stream, doing = watching(cluster)
        if closes:
            stream.close()
            assert "settings" in doing.result()
    assert "settings" in doing.result()


def test_a_fork_that_starts_while_its_cluster_ends_ends_with_it() -> None:
    """Whenever it is done, nothing of it is left; who asked for it is told."""
    for turns in range(4):
        with Cluster.sync(nodes=0) as cluster:
            asked = threading.Event()

            def fork(cluster: SyncCluster = cluster, asked: threading.Event = asked) -> SyncCluster:
                asked.set()
                return cluster.fork()

            doing = Doing(fork)
            assert asked.wait(20)
            time.sleep(0.004 * turns)
        found = doing.result()
        if isinstance(found, SyncCluster):
            with pytest.raises(ClusterError, match=r"ended|stopped"):
                found.api.list("pods")
        else:
            assert isinstance(found, ClusterError), found


def test_what_ends_by_itself_at_the_end_is_not_taken_for_left() -> None:
    """A restart or a stop goes on without its caller: the thread lets it."""
    portal = Portal("test-portal")
    portal.start()
    ended = []

    async def begin() -> None:
        async def work() -> None:
            await asyncio.sleep(0.05)
            ended.append(True)

        kept.append(asyncio.create_task(work()))

    kept: list[Any] = []
    portal.call(begin)
    portal.close()
    assert ended == [True]
