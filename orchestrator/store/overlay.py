"""What has been decided but is not durable yet: seen by later decisions, by no reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from orchestrator.resources.objects import Key, Object
from orchestrator.store.events import ObjectEvent
from orchestrator.store.projection import Projection

_Entry = tuple[int, Object | None]


class Overlay:
    """Pending states on top of a projection."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._committed = projection.objects
        self._pending: dict[tuple[str, str, str], _Entry] = {}
        self._last = 0  # of the sequences that were put
        self._journal: list[tuple[tuple[str, str, str], _Entry | None]] | None = None

    def __len__(self) -> int:
        return len(self._pending)

    def get(self, key: tuple[str, str, str]) -> Object | None:
        """Return the state that a decision made now has to start from."""
        pending = self._pending.get(key)
        return pending[1] if pending is not None else self._committed.get(key)

    def everything(self) -> Mapping[Key, Object]:
        """Return all objects by key, with what is pending."""
        committed = cast("dict[Key, Object]", self._committed)
        if not self._pending:
            return committed
        objects = dict(committed)
        pending = cast("dict[Key, _Entry]", self._pending)
        for key, (_, obj) in pending.items():
            if obj is None:
                objects.pop(key, None)
            else:
                objects[key] = obj
        return objects

    def committed(self, resource: str) -> list[Object]:
        """Return the committed objects of a resource, in no order."""
        table = self._projection.table(resource)
        return list(table.objects.values()) if table is not None else []

    def within(self, resource: str, namespace: str) -> dict[tuple[str, str, str], Object | None]:
        """Return the objects of a namespace by key, with what is pending; None for removed ones."""
        table = self._projection.table(resource, namespace)
        objects: dict[tuple[str, str, str], Object | None] = {}
        if table is not None:
            objects = {(resource, *short): obj for short, obj in table.objects.items()}
        for key, (_, obj) in self._pending.items():
            if key[0] == resource and key[1] == namespace:
                objects[key] = obj
        return objects

    def put(self, key: Key, sequence: int, obj: Object | None) -> None:
        """Note what ``sequence`` will do to ``key``; None removes it."""
        if self._journal is not None:
            self._journal.append((key, self._pending.get(key)))
        self._pending[key] = (sequence, obj)
        self._last = sequence

    def put_all(self, events: Sequence[ObjectEvent]) -> None:
        """Note what many events will do; not between `begin` and `rollback`."""
        assert self._journal is None
        self._pending.update(
            {
                event.key: (event.sequence, None if event.type == "DELETED" else event.object)
                for event in events
            }
        )
        self._last = events[-1].sequence

    def settle(self, events: Sequence[ObjectEvent]) -> None:
        """Forget what the projection now has."""
        pending = self._pending
        if events[-1].sequence == self._last:
            pending.clear()  # nothing was decided on top
            return
        for event in events:
            entry = pending.get(event.key)
            if entry is not None and entry[0] == event.sequence:
                del pending[event.key]

    def begin(self) -> None:
        """Remember what is put from now on, for `rollback`."""
        self._journal = []

    def rollback(self) -> None:
        """Undo everything since `begin`."""
        for key, entry in reversed(self._journal or []):
            if entry is None:
                del self._pending[key]
            else:
                self._pending[key] = entry
        self._journal = None

    def clear(self) -> None:
        """Forget everything: the commit it was waiting for failed."""
        self._pending.clear()
        self._journal = None
