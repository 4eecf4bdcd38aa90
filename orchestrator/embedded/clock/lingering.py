"""Waiting for what only a client outside brings about: its time is real, the cluster's is not.

A moment is up in milliseconds in which an operator has not even woken. So a wait whose time in the
cluster is over goes on in real time as long as somebody outside is expected to act, and time goes
on with it, so that what they set in motion so late still happens.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from actors import VirtualClock
from orchestrator.api.visitors import Visitors

RATE: Final = 60.0
"""Seconds of the cluster's time in a real one, where time passes by itself beside real clients."""

SLICE: Final = 0.1
"""Real seconds counted at most for one look, lest one pause of the loop become many minutes."""

LOOK: Final = 0.01
"""Real seconds between looks."""

_EXPECTED: Final = 10.0
"""Real seconds of silence after which an operator that watches, or has yet to come, is given up."""

_PASSED: Final = 1.0
"""Real seconds of silence after which those who came without watching are taken to be gone."""


def silence_allowed(visitors: Visitors, *, invited: bool) -> float:
    """Return for how many real seconds clients outside may keep still before a wait is given up.

    Args:
        visitors: Who came.
        invited: Whether anybody was told the way in.
    """
    if visitors.watches or (invited and not visitors.came):
        return max(_EXPECTED, visitors.grace)
    return _PASSED if visitors.came else 0.0


class Lingering:
    """Waits for conditions in both times.

    Attributes:
        invited: Whether somebody was told how to reach the cluster.
        ended: How the last wait in vain went on in real time; empty when it did not.
    """

    def __init__(self, clock: VirtualClock, visitors: Visitors) -> None:
        """Move ``clock``, with an eye on ``visitors``."""
        self.invited = False
        self.ended = ""
        self._clock = clock
        self._visitors = visitors

    async def until(self, holds: Callable[[], Any], timeout: float, looks: int = 1) -> Any:
        """Let time pass until something holds.

        Args:
            holds: What. If what it returns has to be awaited, it may ask the API, also over a
                socket: what is read meanwhile is not taken for an operator at work.
            timeout: Seconds of the cluster's time; when they are over, as many real seconds since
                the beginning, if clients outside may still do something about it.
            looks: How often it asks at least.

        Returns:
            What the condition said last.
        """
        loop, visitors = asyncio.get_running_loop(), self._visitors
        end = loop.time() + max(timeout, _PASSED)
        heard = visitors.requests

        def asked() -> Any:
            found = holds()
            return self._heed(found) if inspect.isawaitable(found) else found

        if found := await self._clock.advance_until(asked, within=timeout, looks=looks):
            return found
        began = heard_at = before = loop.time()
        at_work = False
        while True:
            now = loop.time()
            if visitors.requests != heard:
                heard, heard_at, at_work = visitors.requests, now, True
            allowed = silence_allowed(visitors, invited=self.invited)
            if now >= end or now - heard_at >= allowed:
                self.ended = _told(visitors, now - began, now - heard_at) if allowed else ""
                return found
            span = min(now - before, SLICE) * RATE if at_work else 0.0
            if found := await self._clock.advance_until(asked, within=span):
                return found
            before = now
            # Of a condition that takes long to ask, half of the time is left to hear from others.
            await asyncio.sleep(max(LOOK, loop.time() - now))

    async def _heed(self, question: Awaitable[Any]) -> Any:
        with self._visitors.questioned():
            return await question


def _told(visitors: Visitors, lasted: float, silent: float) -> str:
    """Say how a wait went on in real time, and what to do about an operator that is slower."""
    paths = ", ".join(visitors.watches)
    who = f"those who watch {paths}" if paths else "clients outside"
    return (
        f"then it went on for {lasted:.1f} real seconds, in the last {silent:.1f} of which {who} "
        "asked for nothing; who takes longer wants a longer timeout or client_grace, or "
        "clock.held() while it is at work"
    )


async def pass_by_itself(clock: VirtualClock, rate: float) -> None:
    """Move a clock ``rate`` times as fast as real time, until cancelled."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    while True:
        await asyncio.sleep(LOOK)
        now = loop.time()
        await clock.advance(min(now - before, SLICE) * rate)
        before = now
