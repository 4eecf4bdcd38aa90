"""What a committed write looks like to those who follow the store."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import orjson

from orchestrator.resources.objects import Key, Object
from orchestrator.store.codec import UNSTAMPED, Stamp

EventType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]
WatchType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]


class ObjectEvent:
    """One committed change of one object; shared by every follower, changed by none.

    Attributes:
        sequence: The log's sequence number, also the object's ``resourceVersion``.
        type: What happened to the object, seen without a selector.
        key: Which object.
        object: The state after the change; for ``DELETED`` the last state, at a new
            ``resourceVersion``.
        previous: The state before, None for ``ADDED``.
        stamp: When it was written, and by whom.
        restored: Whether an earlier state was put back (`orchestrator.store.rewinding`): what came
            of the object meanwhile never was.
    """

    __slots__ = ("_json", "key", "object", "previous", "restored", "sequence", "stamp", "type")

    def __init__(
        self,
        sequence: int,
        type_: EventType,
        key: Key,
        object_: Object,
        previous: Object | None,
        stamp: Stamp = UNSTAMPED,
        restored: bool = False,
    ) -> None:
        self.sequence = sequence
        self.type: EventType = type_
        self.key = key
        self.object = object_
        self.previous = previous
        self.stamp = stamp
        self.restored = restored
        self._json: bytes | None = None

    def json(self) -> bytes:
        """Return the object as JSON, encoded at most once however many ask."""
        if self._json is None:
            self._json = orjson.dumps(self.object)
        return self._json

    def __repr__(self) -> str:
        return f"<{self.type} {self.key} @{self.sequence}>"


class WatchEvent(NamedTuple):
    """One event of a watch, after its selectors.

    Attributes:
        type: As it goes over the wire; a selector may turn a change into ADDED or DELETED.
        object: What goes over the wire.
        event: The store's event it came from, whose `ObjectEvent.json` holds the encoded object;
            None for initial objects, bookmarks and errors.
    """

    type: WatchType
    object: dict[str, Any]
    event: ObjectEvent | None = None
