"""A cluster for programs without asyncio: the same one, on a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, ParamSpec, Self, TypeVar

from orchestrator import witnesses
from orchestrator.embedded.cluster import Cluster
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.presence import STARTED
from orchestrator.embedded.sync.portal import START_BY, Portal
from orchestrator.embedded.sync.twins.cluster import SyncMethods
from orchestrator.embedded.turns import MEANWHILE

STOP_SECONDS: Final = 30.0
"""Real seconds for everything to end; containers that are processes get 10 of them."""

P = ParamSpec("P")
T = TypeVar("T")


class SyncCluster(SyncMethods):
    """A `Cluster` whose methods are ordinary functions; `Cluster.sync` makes one.

    ```py
    with Cluster.sync(nodes=3) as cluster:
        cluster.apply("app.yaml")
        cluster.wait("deployment/web", "Available")
        cluster.clock.advance(hours=1)
        for event in cluster.api.watch("pods"):
            ...
    ```

    Each has a thread with an event loop, which ends with it. Any thread may call its methods,
    several at once. What the library calls in turn (the conditions of `wait`, images) runs on the
    cluster's thread: it must not block, and must not call these methods, which is refused with an
    error. Conditions of ``clock.advance_until`` run on the thread that waits, and may call them.
    """

    def __init__(self, cluster: Cluster, portal: Portal | None = None) -> None:
        """Prepare a thread for a cluster that was not started yet.

        Args:
            cluster: Which.
            portal: Where it has been started already, on another's thread.
        """
        super().__init__(portal or Portal("orchestrator-cluster"), cluster)
        cluster._presence.start_by = START_BY  # noqa: SLF001 - its twin
        cluster._presence.is_a_twins = True  # noqa: SLF001 - its twin
        self._owns_thread = portal is None
        self._forks: list[SyncCluster] = []
        self._stopping = False

    def __repr__(self) -> str:
        return f"{self._async!r}".replace("<Cluster", "<SyncCluster", 1)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def asynchronous(self) -> Cluster:
        """The cluster itself, for functions that `call` calls."""
        return self._async

    def start(self) -> None:
        """Start everything; returns when requests are answered and all is at rest.

        Raises:
            ClusterError: It can't start, or was started before.
            OSError: The address can't be listened on.
        """
        if not self._owns_thread:
            return
        if self._portal.started:
            raise ClusterError(STARTED)
        self._portal.start()
        atexit.register(self._stop_at_exit)
        try:
            self._portal.call(self._async.start)
        except BaseException:
            self.stop()
            raise
        witnesses.started(self)

    def stop(self) -> None:
        """End everything, the thread too. Safe to call twice.

        Raises:
            ClusterError: Something did not end; the text says what.
        """
        if not self._portal.running:
            return
        witnesses.stopping(self)
        self._stopping = True
        atexit.unregister(self._stop_at_exit)
        with contextlib.ExitStack() as exits:
            if self._owns_thread:
                exits.callback(self._portal.close)
            exits.callback(self._portal.call, self._stop_in_time)
            for fork in self._forks:
                exits.callback(fork.stop)
            if self._owns_thread:
                exits.callback(self._portal.close_streams)

    def _stop_at_exit(self) -> None:
        """End a cluster that its program has forgotten."""
        with contextlib.suppress(Exception):
            self.stop()

    async def _stop_in_time(self) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._async.stop()
        except TimeoutError:
            raise ClusterError(
                f"the cluster did not end within {STOP_SECONDS:g} s of real time; what was under "
                "way was cancelled"
            ) from None

    def fork(self, version: int | None = None) -> SyncCluster:
        """Start a second cluster from this one's present or past, on this one's thread.

        See `Cluster.fork`. It ends with ``with``, with `stop`, or with this one.
        """
        fork = self._portal.call(self._fork, version)
        witnesses.started(fork)
        return fork

    async def _fork(self, version: int | None) -> SyncCluster:
        """Start it, so that this one's end knows of it from its first moment on."""
        started = await self._async.fork(version)
        if self._stopping:
            await started.stop()
            raise ClusterError(MEANWHILE)
        fork = SyncCluster(started, self._portal)
        self._forks.append(fork)
        return fork

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call an async function on the cluster's thread, such as one that uses `asynchronous`.

        Returns:
            What it returns.
        """
        return self._portal.call(function, *args, **kwargs)
