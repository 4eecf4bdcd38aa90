"""An actor that remembers what it was told, for a test to look at."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, TypeVar

from actors._actors import Actor
from actors._refs import ActorRef
from actors._system import ActorSystem

T = TypeVar("T")


class Probe(Actor[Any]):
    """Receives anything; the test takes it out in order with ``expect``.

    An ask is answered with ``answer``, an attribute (None unless set).
    """

    mailbox_limit = 1_000_000

    def __init__(self) -> None:
        self.messages: deque[Any] = deque()
        self.answer: Any = None
        self._waiter: asyncio.Future[None] | None = None

    @classmethod
    def spawn(cls, system: ActorSystem, name: str = "probe") -> tuple[Probe, ActorRef[Any]]:
        """Start one; the actor itself, for the test, and its ref, for the others."""
        probe = cls()
        return probe, system.spawn(lambda: probe, name)

    def receive(self, message: Any) -> Any:
        """Keep the message."""
        self.messages.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        return self.answer

    async def expect(self, kind: type[T], timeout: float = 5.0) -> T:
        """Wait for the next message and return it; it must be of that type.

        Raises:
            AssertionError: another type came, or nothing within that many seconds.
        """
        if not self.messages:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(self._waiter, timeout)
            except TimeoutError:
                raise AssertionError(
                    f"no {kind.__qualname__} within {timeout:g} s, nothing came at all"
                ) from None
            finally:
                self._waiter = None
        message = self.messages.popleft()
        if not isinstance(message, kind):
            raise AssertionError(f"expected a {kind.__qualname__}, got {message!r}")  # noqa: TRY004 - it is the test that fails
        return message

    async def expect_nothing(self, seconds: float = 1.0) -> None:
        """Wait that long and see that nothing comes.

        Raises:
            AssertionError: something came.
        """
        await asyncio.sleep(seconds)
        if self.messages:
            raise AssertionError(f"expected nothing, got {self.messages[0]!r}")
