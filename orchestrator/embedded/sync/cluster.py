"""A cluster for programs without asyncio: the same one, on a thread of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from orchestrator.embedded.cluster import Cluster
from orchestrator.embedded.sync.portal import Portal
from orchestrator.embedded.sync.twins import SyncMethods

P = ParamSpec("P")
T = TypeVar("T")


class SyncCluster(SyncMethods):
    """A `Cluster` whose methods are ordinary functions; `Cluster.sync` makes one.

    ```python
    with Cluster.sync(nodes=3) as cluster:
        cluster.apply("app.yaml")
        cluster.wait("deployment/web", "Available")
        cluster.clock.advance(hours=1)
        for event in cluster.api.watch("pods"):
            ...
    ```

    Each has a thread with an event loop, which ends with it. Any thread may call its methods,
    several at once. What the library calls in turn (conditions of `wait` and
    ``clock.advance_until``, images) runs on the cluster's thread: it must not block, and must not
    call these methods, which is refused with an error.
    """

    def __init__(self, cluster: Cluster) -> None:
        """Prepare a thread for a cluster that was not started yet."""
        super().__init__(Portal("orchestrator-cluster"), cluster)

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
        self._portal.start()
        try:
            self._portal.call(self._async.start)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything, the thread too. Safe to call twice.

        Raises:
            ClusterError: Something did not end; the text says what.
        """
        if not self._portal.running:
            return
        try:
            self._portal.close_streams()
        finally:
            try:
                self._portal.call(self._async.stop)
            finally:
                self._portal.close()

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call an async function on the cluster's thread, such as one that uses `asynchronous`.

        Returns:
            What it returns.
        """
        return self._portal.call(function, *args, **kwargs)
