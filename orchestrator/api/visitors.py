"""Clients outside of an embedded cluster: what they were told, and whether they may still react.

Their time is real, the cluster's is not. Before it moves, those who were told something have a
moment to act on it; who has said nothing since is taken to have nothing to do.
"""

from __future__ import annotations

import asyncio
from typing import Final

GRACE: Final = 0.15
"""Real seconds of silence after which nobody outside is taken to be at work, once a watch told
them something: client libraries gather events for a moment (kopf for 0.1 s) before they act."""

ANSWERED: Final = 1 / 3
"""Part of the grace after the answer to a request: who asks next does so at once."""


class Visitors:
    """Counts what is said to clients outside, and heard from them.

    Attributes:
        activity: How often something was said or heard; moments at which nobody would react (a
            bookmark, a line of a log) do not count.
        requests: How many they made.
        watching: How many watches of theirs are open.
    """

    def __init__(self, grace: float = GRACE) -> None:
        """Take them to be done after ``grace`` real seconds."""
        self.activity = 0
        self.requests = 0
        self.watching = 0
        self._grace = grace
        self._quiet_from = 0.0

    def ask(self) -> None:
        """Note that a request came."""
        self.requests += 1
        self.activity += 1

    def answer(self) -> None:
        """Note that a request was answered."""
        self._note(self._grace * ANSWERED)

    def tell(self) -> None:
        """Note that a watch told of something."""
        self._note(self._grace)

    def _note(self, grace: float) -> None:
        self.activity += 1
        until = asyncio.get_running_loop().time() + grace
        self._quiet_from = max(self._quiet_from, until)

    async def courtesy(self) -> bool:
        """Wait until they have been silent for their grace; tells whether there was a wait.

        Each of several callers waits for as long: none of them goes on while they may be at work.
        """
        left = self._quiet_from - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        await asyncio.sleep(left)
        return True
