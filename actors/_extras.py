"""What only some actors need, kept out of the cell so that an idle one stays small."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import TYPE_CHECKING, Any

from actors._envelopes import Envelope

if TYPE_CHECKING:
    from actors._cells import Cell
    from actors._contexts import Job, Timer
    from actors._lifecycle import Revival


class Extras:
    """Children, timers, tasks, waiting senders and the record of failures of one actor."""

    __slots__ = (
        "children",
        "closing",
        "deferred",
        "deferred_limit",
        "jobs",
        "last_error",
        "log",
        "random",
        "restart_count",
        "restart_times",
        "revival",
        "senders",
        "task",
        "timers",
        "waiters",
    )

    def __init__(self) -> None:
        self.children: dict[str, Cell[Any]] = {}
        # Dictionaries for sets: they are gone through in order, so that a simulation repeats.
        self.timers: dict[Timer, None] = {}
        self.jobs: dict[Job, None] = {}
        self.deferred: dict[Envelope[Any], None] = {}
        self.deferred_limit = 64
        self.senders: deque[tuple[Any, asyncio.Future[None]]] = deque()
        self.waiters: list[asyncio.Future[None]] = []
        self.task: asyncio.Task[None] | None = None
        self.closing: asyncio.Task[None] | None = None
        self.restart_count = 0
        self.restart_times: list[float] = []
        self.revival: Revival | None = None
        self.last_error: BaseException | None = None
        self.random: random.Random | None = None
        self.log: Any = None

    def defer(self, envelope: Envelope[Any]) -> None:
        """Remember an ask that will be answered later, to fail it should the actor stop."""
        if len(self.deferred) >= self.deferred_limit:
            self.deferred = {one: None for one in self.deferred if one.wants_reply}
            self.deferred_limit = max(64, 2 * len(self.deferred))
        self.deferred[envelope] = None

    def admit(self, queue: deque[Any], limit: int) -> None:
        """Move messages of waiting senders into the mailbox, in order, while there is room."""
        senders = self.senders
        while senders and len(queue) < limit:
            message, future = senders.popleft()
            if not future.done():
                future.set_result(None)
                queue.append(message)
