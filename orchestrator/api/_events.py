"""Watch events as bytes: one JSON line each, and pieces of them as an HTTP answer carries them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Final

import orjson

from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store.events import ObjectEvent
from orchestrator.store.watching import INITIAL_EVENTS_END, Matches, select_event

PIECE_BYTES: Final = 512 * 1024
"""Bytes from which events go out in another piece: what a connection may be behind with."""

_OPEN: Final = {
    "ADDED": b'{"type":"ADDED","object":',
    "MODIFIED": b'{"type":"MODIFIED","object":',
    "DELETED": b'{"type":"DELETED","object":',
    "BOOKMARK": b'{"type":"BOOKMARK","object":',
    "ERROR": b'{"type":"ERROR","object":',
}
_CLOSE: Final = b"}\n"

Encoder = Callable[[Object], bytes]
"""From an object to the bytes of the shape the watcher asked for."""

Line = Callable[[str, bytes], bytes]
"""Frames an event of a type around an encoded object."""


def event_line(type_: str, data: bytes) -> bytes:
    """Frame one event as a line of JSON."""
    return _OPEN[type_] + data + _CLOSE


@dataclass(frozen=True, slots=True)
class View:
    """What a watcher sees, and how it is written.

    Attributes:
        key: Watchers with equal keys get the same bytes.
        shape: Views with equal shapes encode an object to the same bytes.
        namespace: Only events of this namespace; None for all.
        name: Only events of this object; empty for all.
        matches: Selectors in one; None for all.
        encode: Other encodings than the object's own JSON; None for that.
        line: Frames one encoded object as an event.
        dump: Encodes objects of other kinds: errors.
        trigger: A field and the value it must have before or after an event for the view to show
            it, where there is such a field; ``fields_of`` returns an object's values.
        fields_of: See ``trigger``.
    """

    key: Hashable = None
    shape: Hashable = None
    namespace: str | None = None
    name: str = ""
    matches: Matches | None = None
    encode: Encoder | None = None
    line: Line = event_line
    dump: Callable[[Object], bytes] = orjson.dumps
    trigger: tuple[str, str] | None = None
    fields_of: Callable[[Object], Mapping[str, str]] | None = None

    def names(self, obj: Object) -> bool:
        """Tell whether an object is the one that is watched, if only one is."""
        return not self.name or obj["metadata"]["name"] == self.name

    def sees(self, obj: Object) -> bool:
        """Tell whether a present object belongs to the view; its namespace is the caller's."""
        return self.names(obj) and (self.matches is None or self.matches(obj))


class Memo:
    """Encoded objects of one round, shared by all views of the same shape."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[tuple[Hashable, int], bytes] = {}

    def line(self, view: View, event: ObjectEvent) -> bytes | None:
        """Return an event as a view shows it, framed; None when it does not show."""
        if view.name and event.key[2] != view.name:
            return None
        seen = select_event(event, view.namespace, view.matches)
        if seen is None:
            return None
        encode = view.encode
        if seen.event is None:  # an object that left the selection, as it was before
            return view.line(seen.type, (encode or orjson.dumps)(seen.object))
        if encode is None:
            return view.line(seen.type, event.json())
        at = (view.shape, event.sequence)
        data = self._entries.get(at)
        if data is None:
            data = self._entries[at] = encode(event.object)
        return view.line(seen.type, data)

    def lines(self, view: View, events: Iterable[ObjectEvent]) -> list[tuple[int, bytes]]:
        """Return what a view shows of some events, each with its sequence."""
        return [
            (event.sequence, line)
            for event in events
            if (line := self.line(view, event)) is not None
        ]


def in_pieces(lines: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Join lines to pieces of about `PIECE_BYTES`, each with the sequence it reaches."""
    pieces = []
    gathered: list[bytes] = []
    size = reached = 0
    for sequence, line in lines:
        gathered.append(line)
        size += len(line)
        reached = sequence
        if size >= PIECE_BYTES:
            pieces.append((reached, b"".join(gathered)))
            gathered, size = [], 0
    if gathered:
        pieces.append((reached, b"".join(gathered)))
    return pieces


def as_chunk(data: bytes) -> bytes:
    """Frame a piece as a chunk of an HTTP/1.1 answer."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def error_line(error: StatusError, view: View | None = None) -> bytes:
    """Frame an ERROR event, after which a watch ends; without a view as JSON."""
    if view is None:
        return event_line("ERROR", orjson.dumps(error.status()))
    return view.line("ERROR", view.dump(error.status()))


def bookmark_object(api_version: str, kind: str, sequence: int, initial: bool) -> dict[str, Any]:
    """Build a bookmark's object: nothing but the version up to which everything was sent."""
    metadata: dict[str, Any] = {"resourceVersion": str(sequence), "creationTimestamp": None}
    if initial:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata}
