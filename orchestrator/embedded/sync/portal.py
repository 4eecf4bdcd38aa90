"""A thread with an event loop of its own, in which the others have things done."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import queue
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.presence import NOT_STARTED, STOPPED
from orchestrator.embedded.turns import MEANWHILE

P = ParamSpec("P")
T = TypeVar("T")

START_BY: Final = "with Cluster.sync() as cluster"
_CANCEL_SECONDS: Final = 5.0
"""Real seconds for what was interrupted to let go."""
_END_SECONDS: Final = 1.0
"""Real seconds for tasks that are about to end when everything has."""
_JOIN_SECONDS: Final = 10.0
"""Real seconds for the thread to end; it does not while somebody's function blocks it."""


class Closable(Protocol):
    """What has to be closed before the thread ends."""

    def close(self) -> None:
        """Let go."""


class _Question(NamedTuple):
    """What a function on the loop wants to know from the thread that called it."""

    answer: asyncio.Future[Any]
    context: contextvars.Context


class Portal:
    """Runs functions on a background thread's event loop, and waits for what they return.

    Any thread may call, several at once. Errors are raised in the caller with the traceback of
    where they happened. An interrupted call (Ctrl-C) is cancelled before the interrupt goes on.
    """

    def __init__(self, name: str) -> None:
        """Prepare a thread of that name; `start` starts it."""
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event
        self._closed = False
        self._error: BaseException | None = None
        self._calls: set[asyncio.Task[Any]] = set()
        self._streams: set[Closable] = set()
        self._left: list[str] = []

    # -- life

    def start(self) -> None:
        """Start the thread; returns when its loop runs."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the thread, and cancel what is still called. Safe to call twice.

        Raises:
            ClusterError: It does not end, or there were tasks that nobody has ended.
        """
        with self._lock:
            first, self._closed = not self._closed, True
            loop = self._loop
        if not first or loop is None:
            return
        loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(_JOIN_SECONDS)
        if self._thread.is_alive():
            raise ClusterError(
                f"the thread {self._thread.name!r} did not end within {_JOIN_SECONDS:g} s; "
                f"it is here:\n{self._place()}"
            )
        if self._error is not None:
            raise self._error
        if self._left:
            tasks = "\n".join(f"  {task}" for task in self._left)
            raise ClusterError(f"tasks were left when the cluster had ended:\n{tasks}")

    def _place(self) -> str:
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - no other way
        return "".join(traceback.format_stack(frame)[-3:]).rstrip() if frame else "  (unknown)"

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised where the thread is waited for
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._closing = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._closing.wait()
        for task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=_CANCEL_SECONDS)
        own = {asyncio.current_task()}
        if ending := asyncio.all_tasks() - own:  # what goes on to its end without its caller
            await asyncio.wait(ending, timeout=_END_SECONDS)
        self._left = sorted(repr(task) for task in asyncio.all_tasks() - own)

    def note(self, stream: Closable) -> None:
        """Close something with `close_streams`, should nobody do it before."""
        self._streams.add(stream)

    def forget(self, stream: Closable) -> None:
        """It was closed."""
        self._streams.discard(stream)

    def close_streams(self) -> None:
        """Close what was noted and not forgotten."""
        for stream in list(self._streams):
            stream.close()

    # -- calls

    @property
    def started(self) -> bool:
        """Whether the thread was started, though it may have ended by now."""
        return self._thread.ident is not None

    @property
    def running(self) -> bool:
        """Whether it takes calls."""
        return self._loop is not None and not self._closed

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await a function on the loop; returns what it returns.

        Raises:
            ClusterError: The thread does not run, or this is the thread itself.
        """

        async def work() -> T:
            return await function(*args, **kwargs)

        return self._wait(work)

    def ask(
        self,
        function: Callable[..., Awaitable[T]],
        condition: Callable[[], Any],
        **options: Any,
    ) -> T:
        """Await a function on the loop that asks a condition now and then.

        The condition is called on this, the caller's thread, so that it may call the portal; the
        loop does other things meanwhile.
        """
        questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()

        async def asked() -> Any:
            answer = asyncio.get_running_loop().create_future()
            # What the condition calls here belongs to who asks: to its advance, say.
            questions.put(_Question(answer, contextvars.copy_context()))
            return await answer

        work = self._submit(lambda: _awaited(function(asked, **options)))
        work.add_done_callback(lambda _: questions.put(None))
        try:
            while (question := questions.get()) is not None:
                self._answer(question, condition)
        except BaseException:
            self._abandon(work)
            raise
        return self._result(work)

    def _answer(self, question: _Question, condition: Callable[[], Any]) -> None:
        answer = question.answer
        try:
            value = question.context.run(condition)
        except Exception as error:  # noqa: BLE001 - it comes out of the function that asks
            settle: Callable[[], None] = functools.partial(answer.set_exception, error)
        else:
            settle = functools.partial(answer.set_result, value)
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            answer.get_loop().call_soon_threadsafe(lambda: None if answer.done() else settle())

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a plain function on the thread of the loop; returns what it returns.

        Where the thread does not run, before the start and after the end, and on the thread
        itself, the function is called directly.
        """
        if not self.running or threading.current_thread() is self._thread:
            return function(*args, **kwargs)

        async def work() -> T:
            return function(*args, **kwargs)

        return self._wait(work)

    def _wait(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        future = self._submit(work)
        try:
            return self._result(future)
        except BaseException:
            self._abandon(future)
            raise

    def _submit(self, work: Callable[[], Coroutine[Any, Any, T]]) -> concurrent.futures.Future[T]:
        if threading.current_thread() is self._thread:
            raise ClusterError(
                "this function runs on the cluster's own thread, which cannot wait for itself: "
                "a condition or an image has to do without the cluster's synchronous methods"
            )
        with self._lock:
            if self._loop is None:
                raise ClusterError(f"{NOT_STARTED}{START_BY}")
            if self._closed:
                raise ClusterError(STOPPED)
            return asyncio.run_coroutine_threadsafe(self._noted(work), self._loop)

    def _result(self, future: concurrent.futures.Future[T]) -> T:
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            if self._closed:
                raise ClusterError(MEANWHILE) from None
            raise

    def _abandon(self, future: concurrent.futures.Future[Any]) -> None:
        """Cancel what was interrupted, and wait until it has let go."""
        if not future.done():
            future.cancel()
            with contextlib.suppress(BaseException):
                self._settled().result(_CANCEL_SECONDS)

    async def _noted(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        task = asyncio.current_task()
        assert task is not None, "it runs as a task"
        self._calls.add(task)
        try:
            return await work()
        finally:
            self._calls.discard(task)

    def _settled(self) -> concurrent.futures.Future[None]:
        """Return what is done when the loop has come round to what was cancelled before."""

        async def turn() -> None:
            for _ in range(3):
                await asyncio.sleep(0)

        assert self._loop is not None, "somebody was interrupted in it"
        return asyncio.run_coroutine_threadsafe(turn(), self._loop)


async def _awaited(waiting: Awaitable[T]) -> T:
    return await waiting
