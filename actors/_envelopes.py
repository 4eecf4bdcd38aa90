"""A message together with the question whether somebody waits for an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from actors._refs import ActorRef

M = TypeVar("M")


class Deferred:
    """The type of ``DEFERRED``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DEFERRED"


DEFERRED: Final = Deferred()
"""Returned by ``receive`` when the answer will be given later through the envelope."""


class Envelope(Generic[M]):
    """One received message and, when it was asked, the way to answer it.

    ``reply`` and ``fail`` may be called once; later calls, and calls for a message that was only
    told or whose asker gave up, do nothing.
    """

    __slots__ = ("_future", "message")

    def __init__(self, message: M, future: asyncio.Future[Any] | None = None) -> None:
        self.message = message
        self._future = future

    @property
    def wants_reply(self) -> bool:
        """Whether somebody still waits for the answer."""
        future = self._future
        return future is not None and not future.done()

    def reply(self, value: Any = None) -> None:
        """Answer with a value."""
        future = self._future
        if future is not None and not future.done():
            future.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Answer with an error, raised in the asker."""
        future = self._future
        if future is not None and not future.done():
            future.set_exception(error)

    def forward(self, ref: ActorRef[Any]) -> None:
        """Tell another actor the message; if it was asked, that one answers the asker.

        The forwarding handler returns ``DEFERRED``. Errors as for ``tell``.
        """
        ref.tell(self)

    def __repr__(self) -> str:
        return f"<Envelope of {self.message!r}>"
