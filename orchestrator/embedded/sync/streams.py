"""Streams and other contexts of the asynchronous library, entered from threads without a loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.sync.portal import Portal

T = TypeVar("T")
U = TypeVar("U")

_END: Final = object()


class Stream(Generic[T]):
    """What comes piece by piece: the events of a watch, the lines of a log.

    Iterate over it. As a context manager it ends with the block; otherwise with the last piece,
    with `close`, or with the cluster.
    """

    def __init__(
        self, portal: Portal, opened: AbstractAsyncContextManager[AsyncIterator[T]]
    ) -> None:
        """Made by the methods that return one; it is opened when first used."""
        self._portal = portal
        self._opened: AbstractAsyncContextManager[AsyncIterator[T]] | None = opened
        self._pieces: AsyncIterator[T] | None = None
        self._fetching: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        """Wait for the next piece; there is none once another thread has closed it.

        Raises:
            StatusError: The stream was refused, or broken off by the cluster.
        """
        pieces = self._open()
        if pieces is None:
            raise StopIteration

        async def fetch() -> Any:
            self._fetching = asyncio.current_task()
            return await anext(pieces, _END)

        try:
            piece = self._portal.call(fetch)
        except (concurrent.futures.CancelledError, ClusterError):
            if self._opened is None:
                raise StopIteration from None
            self.close()
            raise
        except BaseException:
            self.close()
            raise
        if piece is _END:
            self.close()
            raise StopIteration
        return cast("T", piece)

    def close(self) -> None:
        """Let go of it; nothing comes any more. Safe to call twice, and from any thread."""
        opened, self._opened = self._opened, None
        pieces, self._pieces = self._pieces, None
        self._portal.forget(self)
        if opened is None or pieces is None or not self._portal.running:
            return

        async def leave() -> None:
            fetching = self._fetching
            if fetching is not None and not fetching.done():  # another thread waits for a piece
                fetching.cancel()
                await asyncio.wait({fetching})
            await opened.__aexit__(None, None, None)

        self._portal.call(leave)

    def _open(self) -> AsyncIterator[T] | None:
        if self._pieces is None and self._opened is not None:
            self._pieces = self._portal.call(self._opened.__aenter__)
            self._portal.note(self)
        return self._pieces


@contextlib.contextmanager
def entered(
    portal: Portal, opened: AbstractAsyncContextManager[T], twin: Callable[[Portal, T], U]
) -> Iterator[U]:
    """Enter an asynchronous context from another thread.

    Args:
        portal: Where it lives.
        opened: The context.
        twin: Makes what the block gets of what the context gives.
    """
    found = portal.call(opened.__aenter__)
    try:
        yield twin(portal, found)
    except BaseException as error:
        if not portal.running or not portal.call(
            opened.__aexit__, type(error), error, error.__traceback__
        ):
            raise
    else:
        if portal.running:
            portal.call(opened.__aexit__, None, None, None)


@contextlib.contextmanager
def around(portal: Portal, plain: AbstractContextManager[T]) -> Iterator[T]:
    """Enter and leave an ordinary context on the portal's thread."""
    found = portal.run(plain.__enter__)
    try:
        yield found
    except BaseException as error:
        if not portal.run(plain.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        portal.run(plain.__exit__, None, None, None)


def as_is(_: Portal, found: T) -> T:
    """Stand in for the twin of what needs none."""
    return found
