"""A kopf operator's run beside a cluster: on a thread of its own, or on the test's loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from orchestrator.embedded import Cluster, ClusterError
from orchestrator.embedded.sync import SyncCluster
from orchestrator.testing.operator_logs import CURRENT, HandlerLog, listed
from orchestrator.testing.operator_ways import (
    LOGIN,
    OthersThan,
    add_login,
    loaded,
    login_by,
    signals_kept,
    without_kubeconfig,
)

if TYPE_CHECKING:
    import kopf

    from orchestrator.api.gate import Gate
    from orchestrator.api.visitors import Visitors

SECONDS: Final = 30.0
"""Real seconds for an operator to start, to catch up, to end."""
_EXIT: Final = 0.3
"""Real seconds for what an operator has begun, at its end."""
_LOOK: Final = 0.005
"""Real seconds between looks."""
_ROUND: Final = 0.5
"""Real seconds in which an operator comes to rest that does not try again and again."""
_RESTLESS: Final = 1.0
"""Real seconds without rest in which no handler begins: then what there is goes on for ever."""
_CALM: Final = 1.0
"""Real seconds of silence after which an operator that watches no objects is taken to be ready."""


class OperatorRun:
    """One operator from its start to its end."""

    def __init__(
        self,
        cluster: Cluster,
        files: tuple[str | Path, ...],
        registry: kopf.OperatorRegistry | None,
        user: str | None,
        options: dict[str, Any],
    ) -> None:
        self.log = HandlerLog()
        self._cluster = cluster
        self._files = files
        self._registry = registry
        self._user = user
        self._options = options
        self._stop: Any = None
        self._ready: Any = None
        self._ended = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._login: Any = None

    # -- what it needs

    @contextlib.contextmanager
    def prepared(self, cluster: Cluster | SyncCluster) -> Iterator[None]:
        """Load its handlers, and lead its clients to the cluster."""
        with contextlib.ExitStack() as exits:
            exits.enter_context(self.log.listening())
            exits.enter_context(listed(self._cluster, self.log))
            modules = []
            exits.enter_context(self._environment(cluster))
            if self._registry is None and self._files:
                import kopf

                self._registry = kopf.OperatorRegistry()
                modules = exits.enter_context(loaded(self._files, self._registry))
            if cluster is self._cluster and self._cluster.clock.mode == "auto":
                shown = ("kopf", *(module.__name__ for module in modules))
                exits.enter_context(self._cluster.clock.shown_to(*shown))
            yield

    @contextlib.contextmanager
    def _environment(self, cluster: Cluster | SyncCluster) -> Iterator[None]:
        socket = _socket_of(cluster)
        if socket is None:
            path = None if self._user is None else cluster.kubeconfig_for(self._user)
            with self._cluster.in_environment(path or cluster.kubeconfig):
                yield
            return
        token = None if self._user is None else cluster.token_for(self._user)
        self._login = login_by(socket, token)
        with without_kubeconfig():
            yield

    # -- its life

    def start_thread(self) -> None:
        """Start it on a thread with a loop of its own."""
        self._stop, self._ready = threading.Event(), threading.Event()
        threading.Thread(target=self._on_thread, name="kopf-operator", daemon=True).start()

    def _on_thread(self) -> None:
        try:
            self._enter_context()
            asyncio.run(self._operate())
        except BaseException as error:  # noqa: BLE001 - whoever waits for it raises it
            self._error = error
        finally:
            self._ended.set()

    def start_here(self) -> None:
        """Start it on the running loop."""
        self._stop, self._ready = asyncio.Event(), asyncio.Event()
        context = contextvars.copy_context()
        context.run(self._enter_context)
        self._task = asyncio.create_task(self._operate(), context=context)
        self._task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._error = task.exception()
        self._ended.set()

    def _enter_context(self) -> None:
        CURRENT.set(self.log)
        LOGIN.set(self._login)

    async def _operate(self) -> None:
        import kopf

        registry = self._registry or kopf.get_default_registry()
        add_login(registry)
        settings = kopf.OperatorSettings()
        settings.queueing.exit_timeout = _EXIT  # otherwise two seconds, whenever a retry is to come
        own = {"registry": registry, "settings": settings, "stop_flag": self._stop}
        try:
            with signals_kept():
                tasks = await kopf.spawn_tasks(ready_flag=self._ready, **own | self._options)
            # It would end every task that came after it, those of the test and the cluster too.
            others = OthersThan(Path(kopf.__file__).parent)
            await kopf.run_tasks(tasks, ignored=cast("Any", others))
        finally:
            self._stop.set()  # a thread waits for it, and the loop for the thread
            # kopf leaves the threads of its synchronous handlers to the end of the process.
            settings.execution.executor.shutdown(wait=False, cancel_futures=True)

    async def watching(self, before: Counter[str]) -> None:
        """Wait until it watches what it handles; on the cluster's loop.

        Raises:
            ClusterError: It ended, or does not come to it.
        """
        if self._task is not None:
            # Time that passes here would be the cluster's; it passes when the operator is at rest.
            await first_of(self._ready.wait(), self._task)
            self._refuse_end()
            return
        loop, visitors = asyncio.get_running_loop(), visitors_of(self._cluster)
        end = loop.time() + SECONDS
        heard, calm_from = visitors.activity, loop.time()
        while not (self._ready.is_set() and any(map(_is_of_objects, visitors.watches - before))):
            self._refuse_end()
            now = loop.time()
            if visitors.activity != heard or not self._ready.is_set():
                heard, calm_from = visitors.activity, now
            if now - calm_from > _CALM and visitors.watches - before:
                break  # it has no handlers of objects, or their kinds are still to be defined
            if now > end:
                raise ClusterError(f"the operator did not watch anything within {SECONDS:g} s")
            await asyncio.sleep(_LOOK)
        await visitors.courtesy()

    async def stop(self) -> None:
        """End it, and wait for its end.

        Raises:
            ClusterError: It did not end.
        """
        self._stop.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=SECONDS)
        else:
            await asyncio.to_thread(self._ended.wait, SECONDS)
        if not self._ended.is_set():
            at_work = ", ".join(self.log.at_work) or "no handler"
            raise ClusterError(
                f"the operator did not end within {SECONDS:g} s; at work is {at_work}"
            )

    def _refuse_end(self) -> None:
        if not self._ended.is_set():
            return
        outcomes = getattr(self._error, "outcomes", {})  # of a startup handler, kopf says no more
        errors = (each.exception for each in outcomes.values())
        cause = next(filter(None, errors), self._error)
        said = f": {type(cause).__name__}: {cause}" if cause is not None else ""
        raise ClusterError(f"the operator has ended by itself{said}") from cause

    # -- what has failed in it

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Say with an exception of the block what has failed in the operator."""
        try:
            yield
        except BaseException as error:  # such as pytest.fail's
            for failure in self.log.failures:
                error.add_note(f"in the operator, {failure}")
            raise

    def raise_failures(self) -> None:
        """Raise what has failed in the operator, or has ended it."""
        if self.log.told:
            return
        if self._error is not None:
            self._refuse_end()
        failures = self.log.failures
        for failure in failures:
            failure.error.add_note(f"in the operator, {failure}")
        if len(failures) == 1:
            raise failures[0].error
        if failures:
            errors = [failure.error for failure in failures]
            raise ExceptionGroup("handlers of the operator have failed", errors)


def _socket_of(cluster: Cluster | SyncCluster) -> str | None:
    try:
        return str(cluster.socket)
    except ClusterError:
        return None


async def first_of(one: Coroutine[Any, Any, Any], other: asyncio.Task[Any]) -> None:
    """Wait until one of two has ended; the first is ended then."""
    waiting = asyncio.ensure_future(one)
    await asyncio.wait([waiting, other], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def caught_up(cluster: Cluster, log: HandlerLog, timeout: float) -> None:
    """Wait until an operator has nothing more to do; see `KopfOperator.caught_up`."""
    visitors = visitors_of(cluster)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    log.on_end = lambda: loop.call_soon_threadsafe(ended.set)
    try:
        async with asyncio.timeout(timeout):
            since, begun = loop.time(), log.fresh
            while True:
                heard = visitors.activity
                calm = await _comes_to_rest(cluster)
                if log.at_work:
                    await ended.wait()
                    ended.clear()
                elif calm and visitors.activity == heard:
                    return
                elif log.fresh == begun and loop.time() - since >= _RESTLESS:
                    return  # what failed is tried again and again, or a daemon never pauses
                if log.at_work or log.fresh != begun:
                    since, begun = loop.time(), log.fresh
    except TimeoutError:
        at_work = ", ".join(log.at_work) or "no handler, but it goes on making requests"
        raise ClusterError(
            f"the operator did not catch up within {timeout:g} s; at work is {at_work}"
        ) from None
    finally:
        log.on_end = int


async def _comes_to_rest(cluster: Cluster) -> bool:
    try:
        async with asyncio.timeout(_ROUND):
            await cluster.clock.settle()
            await visitors_of(cluster).courtesy()
    except TimeoutError:
        return False
    return True


async def watches_of(cluster: Cluster) -> Counter[str]:
    """Return the watches that clients outside have open; on the cluster's loop."""
    return visitors_of(cluster).watches.copy()


def visitors_of(cluster: Cluster) -> Visitors:
    """Return what a cluster knows of the clients outside."""
    return cast("Gate", cluster.asgi).visitors


def _is_of_objects(path: str) -> bool:
    """Tell whether a watch is of what handlers handle, not of what an operator runs by."""
    return not path.endswith(("/customresourcedefinitions", "/api/v1/namespaces"))
