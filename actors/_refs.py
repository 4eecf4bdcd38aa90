"""What others hold of an actor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from actors._statistics import ActorStatistics

M = TypeVar("M")


class ActorRef(ABC, Generic[M]):
    """The address of an actor and the only way to reach it.

    It stays valid over restarts. To be used on the system's own thread; from another one go
    through ``loop.call_soon_threadsafe(ref.tell, message)``.
    """

    __slots__ = ("__weakref__",)

    @property
    @abstractmethod
    def address(self) -> str:
        """The path from the root, like ``/user/store/sequencer``."""

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether it still takes messages; true while it is being restarted."""

    @abstractmethod
    def tell(self, message: M) -> None:
        """Put a message into the mailbox and return at once.

        Messages of one sender arrive in order. To a stopped actor it is a dead letter.

        Raises:
            MailboxFull: the mailbox is at its limit and the actor rejects what is beyond.
        """

    @abstractmethod
    async def send(self, message: M) -> None:
        """Put a message into the mailbox, waiting first for room; senders queue in order.

        Raises:
            ActorStopped: the actor stopped before there was room.
        """

    @abstractmethod
    async def ask(self, message: M, *, timeout: float = 5.0) -> Any:
        """Put a message into the mailbox and wait for its answer.

        ``timeout`` is in seconds of the event loop, since it bounds computing, not domain time.

        Raises:
            AskTimeout: no answer in time; the message may still be handled.
            ActorStopped: the actor stopped or restarted before answering.
            MailboxFull: as for ``tell``.
            Exception: whatever the handler raised.
        """

    @abstractmethod
    async def stopped(self, timeout: float | None = None) -> None:
        """Wait until the actor and everything under it has stopped; does not ask it to.

        Raises:
            TimeoutError: it has not after that many seconds (None: no limit).
        """

    @abstractmethod
    def statistics(self) -> ActorStatistics:
        """Queue length, peak, restarts and so on, as of now."""

    def __repr__(self) -> str:
        return f"<ActorRef {self.address}>"
