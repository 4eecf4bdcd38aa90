"""Streams of custom kinds end when their definition changes or goes, as upstream's do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestrator.resources.custom.kinds import DEFINITIONS
from orchestrator.store.window import Expired

if TYPE_CHECKING:
    from orchestrator.store import Store
    from orchestrator.store.following import Follower

End = Callable[[], None]

GRACE: Final = 0.1
"""Seconds in which a watcher is still told what happened to the last objects."""


class CustomStreams:
    """The open streams by resource; follows the definitions only while there are any."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ends: dict[str, set[End]] = {}
        self._follower: Follower | None = None

    def add(self, resource: str, end: End) -> None:
        """Call ``end`` when the definition of a resource changes or goes."""
        self._ends.setdefault(resource, set()).add(end)
        if self._follower is None:
            self._follower = self._store.follow([DEFINITIONS], self._look)

    def discard(self, resource: str, end: End) -> None:
        """Forget a stream that has ended."""
        ends = self._ends.get(resource)
        if ends is None:
            return
        ends.discard(end)
        if not ends:
            del self._ends[resource]
        if not self._ends and self._follower is not None:
            self._follower.close()
            self._follower = None

    def _look(self) -> None:
        if self._follower is None:
            return
        try:
            changed = [
                event.key.name
                for event in self._follower.take()
                if event.type == "DELETED"
                or event.previous is None
                or event.previous["spec"] != event.object["spec"]
            ]
        except Expired:
            self._follower.restart(self._store.sequence)
            changed = list(self._ends)
        loop = asyncio.get_running_loop()
        for name in changed:
            for end in tuple(self._ends.get(name, ())):
                loop.call_later(GRACE, end)
