"""Which pods have to be told when an object changes: those whose volumes are made of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Key: TypeAlias = tuple[str, str, str]
"""Resource, namespace and name."""


class Followers:
    """Pods by the objects that their volumes name; a change costs a look-up, however many pods."""

    __slots__ = ("_keys", "_uids")

    def __init__(self) -> None:
        self._keys: dict[str, frozenset[Key]] = {}
        self._uids: dict[Key, set[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def follow(self, uid: str, keys: frozenset[Key]) -> None:
        """Let a pod be told of changes of these objects, and of no others."""
        if self._keys.get(uid) == keys:
            return
        self.leave(uid)
        if keys:
            self._keys[uid] = keys
            for key in keys:
                self._uids.setdefault(key, set()).add(uid)

    def leave(self, uid: str) -> None:
        """Let a pod be told nothing more."""
        for key in self._keys.pop(uid, ()):
            uids = self._uids[key]
            uids.discard(uid)
            if not uids:
                del self._uids[key]

    def of(self, keys: Iterable[Key]) -> list[str]:
        """Return the pods that follow any of these objects, in a fixed order."""
        found: set[str] = set()
        for key in keys:
            found |= self._uids.get(key, set())
        return sorted(found)
