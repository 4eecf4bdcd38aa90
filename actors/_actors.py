"""The classes users derive their actors from."""

from __future__ import annotations

import enum
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from actors._envelopes import Envelope

if TYPE_CHECKING:
    from actors._contexts import Context

M = TypeVar("M")


class Overflow(enum.Enum):
    """What a full mailbox does with one message more."""

    REJECT = "reject"
    """Refuse it: ``tell`` raises ``MailboxFull``; from the bus it is dropped and counted."""
    DROP_OLDEST = "drop-oldest"
    """Take it and drop the one that waited longest, which becomes a dead letter."""


class Actor(Generic[M]):
    """Private state, a mailbox, and a handler that sees one message at a time.

    Every method may be ``def`` or ``async def``. A ``def`` handler runs at once, without a task;
    an ``async def`` handler runs in a task that lives as long as messages are waiting.
    Declare ``__slots__`` in a subclass of which there will be very many.
    """

    __slots__ = ("context",)

    mailbox_limit: ClassVar[int] = 1024
    """Messages that may wait. What happens beyond is ``overflow``'s to say."""
    overflow: ClassVar[Overflow] = Overflow.REJECT

    context: Context[M]
    """Set by the system before ``started`` is called; not there in ``__init__``."""

    def started(self) -> Awaitable[None] | None:
        """Get ready. Messages wait until it is done; an error goes to the supervisor."""
        return None

    def receive(self, message: M) -> Any:
        """Handle one message; the value returned (or awaited) answers an ask."""
        raise TypeError(f"{type(self).__qualname__} does not handle messages: {message!r}")

    def stopped(self) -> Awaitable[None] | None:
        """Release what was taken. Runs when the actor stops and before a restart."""
        return None


class BatchActor(Actor[M]):
    """An actor that takes whatever has queued, at most ``batch_limit`` messages, at once.

    Batches form from what waits, never by waiting. A batch that raises fails all its unanswered
    asks and goes to the supervisor.
    """

    __slots__ = ()

    batch_limit: ClassVar[int] = 1000

    def receive_batch(self, batch: list[Envelope[M]]) -> Awaitable[None] | None:
        """Handle the messages in order; answer asks through their envelopes, now or later."""
        raise TypeError(f"{type(self).__qualname__} does not handle messages: {batch!r}")
