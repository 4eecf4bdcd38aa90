"""Whether objects have changed since one last looked, for caches of what was made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orchestrator.store.following import Follower
from orchestrator.store.reading import Reads
from orchestrator.store.window import Expired

_BATCH: Final = 1000


class Changes:
    """Follows some resources for the bare fact that something changed. Looking costs nothing."""

    def __init__(self, store: Reads, resources: Iterable[str]) -> None:
        """Begin with a change: nobody has looked yet."""
        self._store = store
        self._resources = tuple(resources)
        self._changed = True
        self._follower: Follower = store.follow(self._resources, self._note)

    def _note(self) -> None:
        self._changed = True

    def seen(self) -> bool:
        """Tell whether something changed since the last call."""
        if not self._changed:
            return False
        self._changed = False
        try:
            while len(self._follower.take(_BATCH)) == _BATCH:
                pass
        except Expired:
            self._follower.close()
            self._follower = self._store.follow(self._resources, self._note)
        self._changed = False
        return True

    def close(self) -> None:
        """Stop following."""
        self._follower.close()
