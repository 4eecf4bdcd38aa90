"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.clock.lingering import RATE
from orchestrator.embedded.sync.streams import around, as_is, entered

if TYPE_CHECKING:
    import contextlib
    import datetime as dt
    from collections.abc import Callable
    from typing import Any

    from orchestrator.embedded.clock.clocks import ClusterClock, Mode
    from orchestrator.embedded.sync.portal import Portal


class SyncClock:
    """The synchronous twin of `ClusterClock`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: ClusterClock) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def mode(self) -> Mode:
        """See the attribute of the asynchronous one."""
        return self._async.mode

    def now(self) -> float:
        """Seconds since 1970."""
        return self._portal.run(self._async.now)

    @property
    def time(self) -> dt.datetime:
        """The same as a moment in UTC."""
        return self._portal.run(lambda: self._async.time)

    def advance(
        self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass, and everything that falls due in it happen.

        On real time this waits.

        Raises:
            ValueError: The time is negative, or without an end.
        """
        self._portal.call(self._async.advance, seconds, minutes=minutes, hours=hours, days=days)

    def advance_until(
        self,
        condition: Callable[[], Any],
        *,
        seconds: float = 0.0,
        minutes: float = 0.0,
        hours: float = 0.0,
        days: float = 0.0,
    ) -> Any:
        """Let time pass until something holds, at most so long (an hour, if nothing is said).

        The condition is asked at each moment at which something happens, when all has come to
        rest, and sixty times at least, since it may be about the time. It may be an async function,
        such as one that asks the API; time stands until it answers. When that time is over and
        clients outside may still act, it goes on in real time.

        Returns:
            What the condition said: something true, as soon as it was.

        Raises:
            TimeoutError: It did not hold within that time.
        """
        return self._portal.ask(
            self._async.advance_until,
            condition,
            seconds=seconds,
            minutes=minutes,
            hours=hours,
            days=days,
        )

    def running(self, rate: float = RATE) -> contextlib.AbstractContextManager[None]:
        """Let time pass by itself while the block is at work; on real time it does so anyway.

        For a block that waits, in real time, for a client which waits for the cluster: a
        ``kubectl rollout status``, a library's own ``wait``. What falls due happens in order, and
        clients outside get their turns as when time is advanced.

        Args:
            rate: Seconds of the cluster's time in a real second, at most.
        """
        return entered(self._portal, self._async.running(rate), as_is)

    def held(self) -> contextlib.AbstractContextManager[Any]:
        """Let no time pass while the block is at work in real time, in a thread or a socket.

        For code of a test or an operator that others cannot see being busy. The block itself can't
        advance, or wait for what takes time.
        """
        return around(self._portal, self._portal.run(self._async.held))

    def settle(self) -> None:
        """Wait until all that can happen at this moment has happened; on real time, a moment."""
        self._portal.call(self._async.settle)

    def sleep(self, seconds: float) -> None:
        """Wait for so much of the cluster's time; with ``manual``, for somebody to advance it.

        For ever after infinity, or until it is cancelled.

        Raises:
            ValueError: It is not a number.
        """
        self._portal.call(self._async.sleep, seconds)

    def shown_to(
        self, *packages: str, skew: float = 0.0
    ) -> contextlib.AbstractContextManager[None]:
        """Let modules that read the computer's clock read this one for the block.

        For libraries that compare timestamps of their own (kopf's retries, leases), above all on a
        loop of virtual time.

        ```python
        import kopf

        with cluster.clock.shown_to("kopf"):  # and your operator's own package
            ...
        ```

        Args:
            *packages: Names of loaded packages and modules.
            skew: Seconds by which they see it wrong: ahead, or behind if negative.

        Raises:
            ValueError: Nothing of that name is loaded.
        """
        return around(self._portal, self._portal.run(self._async.shown_to, *packages, skew=skew))
