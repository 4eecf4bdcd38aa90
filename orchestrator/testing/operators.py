"""kopf operators beside a cluster in a test: started, waited for, ended, and their errors told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from orchestrator.embedded import Cluster
from orchestrator.embedded.sync import SyncCluster
from orchestrator.testing.operator_logs import HandlerFailure, HandlerLog
from orchestrator.testing.operator_runs import (
    SECONDS,
    OperatorRun,
    caught_up,
    visitors_of,
    watches_of,
)

if TYPE_CHECKING:
    import kopf


class KopfOperator:
    """An operator at work beside a `Cluster`; `kopf_operator` starts one."""

    def __init__(self, cluster: Cluster, log: HandlerLog) -> None:
        """Made by `kopf_operator`."""
        self._cluster = cluster
        self._log = log

    @property
    def failures(self) -> list[HandlerFailure]:
        """Handlers that have raised, and have not succeeded for the same object since."""
        return self._log.failures

    def forgive(self) -> None:
        """Forget the failures so far, which the test wanted: they do not fail it."""
        self._log.forget()

    async def caught_up(self, timeout: float = SECONDS) -> None:
        """Wait, in real time, until it has handled all that the cluster has told it so far.

        That is: no handler is at work and none of its requests under way. The cluster's clock
        stands. Timers, daemons and retries that are still to come are not waited for;
        `Cluster.wait` waits for a state.

        Args:
            timeout: Real seconds.

        Raises:
            ClusterError: A handler took longer.
        """
        await caught_up(self._cluster, self._log, timeout)


class SyncKopfOperator:
    """An operator at work beside a `SyncCluster`; `kopf_operator` starts one."""

    def __init__(self, cluster: SyncCluster, log: HandlerLog) -> None:
        """Made by `kopf_operator`."""
        self._cluster = cluster
        self._log = log

    @property
    def failures(self) -> list[HandlerFailure]:
        """Handlers that have raised, and have not succeeded for the same object since."""
        return self._log.failures

    def forgive(self) -> None:
        """Forget the failures so far, which the test wanted: they do not fail it."""
        self._log.forget()

    def caught_up(self, timeout: float = SECONDS) -> None:
        """Wait until it has handled all that it was told; see `KopfOperator.caught_up`.

        Args:
            timeout: Real seconds.

        Raises:
            ClusterError: A handler took longer.
        """
        self._cluster.call(caught_up, self._cluster.asynchronous, self._log, timeout)


@overload
def kopf_operator(
    cluster: Cluster,
    *files: str | Path,
    registry: kopf.OperatorRegistry | None = None,
    namespaces: str | Collection[str] | None = "default",
    user: str | None = None,
    **options: Any,
) -> contextlib.AbstractAsyncContextManager[KopfOperator]: ...
@overload
def kopf_operator(
    cluster: SyncCluster,
    *files: str | Path,
    registry: kopf.OperatorRegistry | None = None,
    namespaces: str | Collection[str] | None = "default",
    user: str | None = None,
    **options: Any,
) -> contextlib.AbstractContextManager[SyncKopfOperator]: ...
def kopf_operator(
    cluster: Cluster | SyncCluster,
    *files: str | Path,
    registry: kopf.OperatorRegistry | None = None,
    namespaces: str | Collection[str] | None = "default",
    user: str | None = None,
    **options: Any,
) -> Any:
    """Run a kopf operator beside a cluster for a block, which begins when the operator watches.

    ```py
    async with kopf_operator(cluster, "site_operator.py") as operator:
        await cluster.apply("site.yaml")
        await cluster.wait("site/blog", "jsonpath={.status.phase}=Created")
    ```

    With a `SyncCluster` it is a plain ``with``. The operator has a thread and a loop of its own; on
    a loop of virtual time, with ``time="auto"``, it shares the test's, and its timers pass with the
    cluster's clock. ``KUBECONFIG`` leads to the cluster, for handlers that have clients of other
    libraries, and the operator needs no login handler.

    An exception in a handler fails the test when the block ends, unless the handler was tried again
    and succeeded, or the test has called ``operator.forgive()``. ``kopf.TemporaryError`` and
    ``kopf.PermanentError`` are the operator's way to say something, and fail nothing.

    Args:
        cluster: Beside which.
        *files: The operator's files, loaded anew for the block. Without them and ``registry`` it is
            what the test has imported: kopf's default registry.
        registry: Its handlers, where they are in a registry of their own.
        namespaces: Where it looks; None for the whole cluster.
        user: Who it is, to test its roles; the administrator unless given, and a ServiceAccount is
            ``system:serviceaccount:NAMESPACE:NAME``.
        **options: Further arguments of ``kopf.operator``: ``settings``, ``memo``, ``peering_name``.

    Raises:
        ClusterError: It did not start, or did not end, or ended by itself.
        Exception: What a handler has raised; several are an ``ExceptionGroup``.
    """
    names = (namespaces,) if isinstance(namespaces, str) else namespaces
    where = {"clusterwide": True} if names is None else {"namespaces": list(names)}
    given = {"standalone": "peering_name" not in options, **where, **options}
    asynchronous = cluster if isinstance(cluster, Cluster) else cluster.asynchronous
    run = OperatorRun(asynchronous, files, registry, user, given)
    if isinstance(cluster, Cluster):
        return _beside(cluster, run)
    return _beside_sync(cluster, run)


@contextlib.asynccontextmanager
async def _beside(cluster: Cluster, run: OperatorRun) -> AsyncIterator[KopfOperator]:
    with run.prepared(cluster):
        before = visitors_of(cluster).watches.copy()
        here = cluster.clock.mode == "auto"
        run.start_here() if here else run.start_thread()
        try:
            with run.telling():
                await run.watching(before)
                yield KopfOperator(cluster, run.log)
        finally:
            await run.stop()
    run.raise_failures()


@contextlib.contextmanager
def _beside_sync(cluster: SyncCluster, run: OperatorRun) -> Iterator[SyncKopfOperator]:
    with run.prepared(cluster):
        before = cluster.call(watches_of, cluster.asynchronous)
        run.start_thread()
        try:
            with run.telling():
                cluster.call(run.watching, before)
                yield SyncKopfOperator(cluster, run.log)
        finally:
            cluster.call(run.stop)
    run.raise_failures()
