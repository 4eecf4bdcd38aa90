"""Clients outside of an embedded cluster: what they were told, and whether they may still react.

Their time is real, the cluster's is not. Before it moves, those who were told something have a
moment to act on it; who has said nothing since is taken to have nothing to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections import Counter
from collections.abc import Iterator
from typing import Final

GRACE: Final = 0.2
"""Real seconds of silence after which nobody outside is taken to be at work, once a watch told
them something: client libraries gather events for a moment (kopf for 0.1 s) before they act."""

ANSWERED: Final = 1 / 3
"""Part of the grace after the answer to a request: who asks next does so at once."""


_LOOK: Final = 0.02
"""Real seconds over which is looked whether other threads of this process compute."""

_BUSY: Final = 1.0
"""Real seconds for which such threads are waited for at most, beyond the silence."""


class Visitors:
    """Counts what is said to clients outside, and heard from them.

    Attributes:
        activity: How often something was said or heard; moments at which nobody would react (a
            bookmark, a line of a log) do not count.
        requests: How many they made, without what is read while a condition is asked.
        came: Whether there was any.
        watches: How many watches of theirs are open, by path.
        grace: Real seconds of silence after which they are taken to be done.
    """

    def __init__(self, grace: float = GRACE) -> None:
        """Take them to be done after ``grace`` real seconds."""
        self.activity = 0
        self.requests = 0
        self.came = False
        self.watches: Counter[str] = Counter()
        self.grace = grace
        self._quiet_from = 0.0
        self._opened = asyncio.Event()
        self._questions = 0

    @contextlib.contextmanager
    def questioned(self) -> Iterator[None]:
        """Take what is read during the block for its own: who waits for the answer asks for it."""
        self._questions += 1
        try:
            yield
        finally:
            self._questions -= 1

    def ask(self, *, reads: bool = False) -> bool:
        """Note that a request came, unless it is a block's own; tells whether it was noted.

        Args:
            reads: Whether it changes nothing.
        """
        self.came = True
        if reads and self._questions:
            return False
        self.requests += 1
        self.activity += 1
        return True

    def answer(self) -> None:
        """Note that a request was answered."""
        self._note(self.grace * ANSWERED)

    def tell(self) -> None:
        """Note that a watch told of something."""
        self._note(self.grace)

    def open(self, path: str) -> None:
        """Note that a watch begins."""
        self.watches[path] += 1
        self._opened.set()

    def close(self, path: str) -> None:
        """Note that a watch has ended."""
        self.watches[path] -= 1
        if not self.watches[path]:
            del self.watches[path]

    async def wait_watching(self, root: str, plural: str) -> None:
        """Wait until somebody watches a resource, everywhere, in a namespace or one object of it.

        Args:
            root: ``/api/v1`` or ``/apis/GROUP/VERSION``.
            plural: The resource's name in paths.
        """
        while not any(watches(path, root, plural) for path in self.watches):
            self._opened.clear()
            await self._opened.wait()

    def _note(self, grace: float) -> None:
        self.activity += 1
        until = asyncio.get_running_loop().time() + grace
        self._quiet_from = max(self._quiet_from, until)

    async def courtesy(self) -> bool:
        """Wait until they have been silent for their grace; tells whether there was a wait.

        Each of several callers waits for as long: none of them goes on while they may be at work.
        Those in threads of this process are seen at work by what it computes while its loop rests.
        """
        loop = asyncio.get_running_loop()
        left = self._quiet_from - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(max(0.0, left - _LOOK))
        end = loop.time() + _BUSY
        while loop.time() < end:
            before = _computed()
            await asyncio.sleep(_LOOK)
            if _computed() - before < _LOOK / 2:
                break
        return True


def _computed() -> float:
    """Return the seconds that this process has computed, in all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def watches(path: str, root: str, plural: str) -> bool:
    """Tell whether a watch at a path is one of a resource."""
    if not path.startswith(f"{root}/"):
        return False
    parts = path.removeprefix(f"{root}/").removeprefix("watch/").split("/")
    if parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    return parts[0] == plural
