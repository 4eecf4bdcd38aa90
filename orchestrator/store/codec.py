"""The payload of a log record: whole objects once, then only the parts that changed.

A record is lines of JSON, in which no newline can be. The first is an array, which begins with the
format, what happened, when (seconds since the epoch, milliseconds behind the point) and by whom:

- ``[3, CREATE, when, who, {part: value}, [part]]``: the whole object. The parts named at the end
  are null, and follow as lines of their own. So parts that many objects share (a template's pod
  spec) are encoded once and copied as bytes; and replay decodes equal lines once, so that the
  sharing survives a restart.
- ``[3, UPDATE, when, who, {part: {field: value}}, {part: value}, [[part] | [part, field]]]``:
  fields set in a dictionary part, parts replaced whole, and what was removed; trailing empty ones
  are left out. ``status.conditions``, which pods that became ready together share, may be null and
  follow as a line.
- ``[3, DELETE, when, who]``: the object is gone; its last state is the fold of what came before.

``metadata.resourceVersion`` is not stored: it is the record's own sequence number. ``namespace``,
``name`` and the resource are in the record's key.

JSON because orjson takes a quarter of the time that msgpack takes for such small dictionaries.
Records of format 2 had no time and no author. Those of format 1, which were the same in msgpack,
are read by `orchestrator.store.codec_v1`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import orjson

from orchestrator.resources.objects import Key, Object
from orchestrator.store import codec_v1

FORMAT = 3
_UNSTAMPED = 2
"""The format before: without time and author."""
CREATE, UPDATE, DELETE = 0, 1, 2

_SHARED_LIMIT = 1024
_ABOUT: Final = 1024
_SHARED_PARTS = ("spec", "status")

Delta = tuple[dict[str, dict[str, Any]], dict[str, Any], list[list[str]]]

_ABSENT = object()


class Stamp(NamedTuple):
    """When a record was written, and by whom.

    Attributes:
        time: Seconds since the epoch; 0 where it is not known.
        by: A user, or a component of the cluster (``deployment-controller``); empty where it is
            not known.
    """

    time: float = 0.0
    by: str = ""


UNSTAMPED: Final = Stamp()


class UnknownPayload(Exception):  # noqa: N818 - it says what happened
    """A record whose payload this version cannot read; the log was written by a newer one."""


def pack_key(key: tuple[str, str, str]) -> str:
    """Return the log's key; no part of it can hold a slash."""
    resource, namespace, name = key
    return f"{resource}/{namespace}/{name}"


def unpack_key(text: str) -> Key:
    """Return the key that `pack_key` made the text from."""
    return Key(*text.split("/", 2))


def diff_objects(old: Object, new: Object) -> Delta | None:
    """Return what turns ``old`` into ``new``, or None when nothing does.

    Parts that are the same object are not looked into; ``metadata.resourceVersion`` does not
    count as a difference.
    """
    merged: dict[str, dict[str, Any]] = {}
    replaced: dict[str, Any] = {}
    removed: list[list[str]] = []
    added = 0
    for part, value in new.items():
        before = old.get(part, _ABSENT)
        if before is value:
            continue
        if type(value) is dict and type(before) is dict:
            fields = _diff_fields(part, before, value, removed)
            if fields:
                merged[part] = fields
            continue
        if before is _ABSENT:
            added += 1
        if before != value:
            replaced[part] = value
    if len(old) + added != len(new):
        removed.extend([part] for part in old if part not in new)
    if merged or replaced or removed:
        return merged, replaced, removed
    return None


def _diff_fields(
    part: str, old: dict[str, Any], new: dict[str, Any], removed: list[list[str]]
) -> dict[str, Any]:
    fields = {}
    added = 0
    for field, value in new.items():
        before = old.get(field, _ABSENT)
        if before is value:
            continue
        if before is _ABSENT:
            added += 1
        elif before == value and type(before) is type(value):
            continue
        fields[field] = value
    if part == "metadata":
        fields.pop("resourceVersion", None)
    if len(old) + added != len(new):
        removed.extend(
            [part, field]
            for field in old
            if field not in new and (field != "resourceVersion" or part != "metadata")
        )
    return fields


class Encoder:
    """Encodes payloads; remembers what parts that objects share by identity came to.

    Attributes:
        stamp: Goes into every record.
    """

    def __init__(self) -> None:
        self.stamp = UNSTAMPED
        self._headed: Stamp | None = None
        self._head = b""
        self._shared: dict[int, tuple[Any, bytes]] = {}

    def create(self, obj: Object) -> bytes:
        """Encode a whole object."""
        return self.create_at(self.stamp, obj)

    def create_at(self, stamp: Stamp, obj: Object) -> bytes:
        """Encode a whole object that was made at another time, or by another one."""
        if self._headed is not stamp:
            self._headed = stamp
            self._head = orjson.dumps((FORMAT, CREATE, *stamp))[:-1] + b","
        parts = dict(obj)
        names, lines = [], [b""]
        for part in _SHARED_PARTS:
            value = parts.get(part)
            if value:
                parts[part] = None
                names.append(part)
                lines.append(self._line(value))
        lines[0] = self._head + orjson.dumps((parts, names))[1:]
        return b"\n".join(lines)

    def update(self, delta: Delta) -> bytes:
        """Encode a difference that `diff_objects` found; the difference itself is used up."""
        merged, replaced, removed = delta
        record: tuple[Any, ...] = (FORMAT, UPDATE, *self.stamp, merged)
        if removed:
            record = (*record, replaced, removed)
        elif replaced:
            record = (*record, replaced)
        status = merged.get("status")
        if status is not None and (conditions := status.get("conditions")):
            status["conditions"] = None
            return orjson.dumps(record) + b"\n" + self._line(conditions)
        return orjson.dumps(record)

    def delete(self) -> bytes:
        """Encode that an object is gone."""
        return orjson.dumps((FORMAT, DELETE, *self.stamp))

    def _line(self, value: Any) -> bytes:
        found = self._shared.get(id(value))
        if found is not None:
            return found[1]  # the entry holds the value, so its id cannot have been given away
        data = orjson.dumps(value)
        if len(self._shared) >= _SHARED_LIMIT:
            del self._shared[next(iter(self._shared))]
        self._shared[id(value)] = (value, data)
        return data


class DeferredCreation(NamedTuple):
    """What `Encoder.create_at` comes to, found out when somebody reads it.

    A tuple, since they are made by the thousand.
    """

    encoder: Encoder
    stamp: Stamp
    object: Object

    def __bytes__(self) -> bytes:
        """Encode the object; it is frozen, so the time does not matter."""
        return self.encoder.create_at(self.stamp, self.object)

    def __len__(self) -> int:
        """Return about how many bytes the object holds that it shares with no other."""
        return _ABOUT


defer_creation: Callable[[tuple[Encoder, Stamp, Object]], DeferredCreation] = partial(
    tuple.__new__, DeferredCreation
)
"""What ``DeferredCreation(...)`` does, in half the time."""


class Decoder:
    """Decodes payloads and folds them; equal shared parts come back as one object.

    Attributes:
        stamp: Of the record that was folded last.
    """

    def __init__(self) -> None:
        self.stamp = UNSTAMPED
        self._shared: dict[bytes, Any] = {}
        self._first = codec_v1.Reader()

    def fold(self, sequence: int, key: Key, data: bytes, current: Object | None) -> Object | None:
        """Return the object after this record, or None when the record deletes it.

        Args:
            sequence: The record's; becomes ``resourceVersion``.
            key: The record's.
            data: Its payload.
            current: The object before, None when there is none.

        Raises:
            UnknownPayload: The format is newer, or an update has nothing to update.
        """
        if data[:1] == b"[":
            first, *lines = data.split(b"\n")
            record = orjson.loads(first)
            shared = list(map(self._value, lines))
        else:
            record, shared = self._first.read(data)
        if record[0] == FORMAT:
            self.stamp = Stamp(record[2], record[3])
            del record[2:4]
        elif record[0] in (codec_v1.FORMAT, _UNSTAMPED):
            self.stamp = UNSTAMPED
        else:
            raise UnknownPayload(
                f"record {sequence} ({key}) has payload format {record[0]}, this version reads "
                f"{FORMAT}: open the data directory with the version that wrote it"
            )
        if record[1] == CREATE:
            obj: Object = record[2]
            for part, value in zip(record[3], shared, strict=True):
                obj[part] = value
            obj["metadata"]["resourceVersion"] = str(sequence)
            return obj
        if record[1] == DELETE:
            return None
        if current is None:
            raise UnknownPayload(f"record {sequence} changes {key}, which the log never created")
        if shared:
            record[2]["status"]["conditions"] = shared[0]
        return apply_delta(current, (*record[2:], *({}, {}, [])[len(record) - 2 :]), sequence)

    def _value(self, line: bytes) -> Any:
        value = self._shared.get(line)
        if value is None:
            value = orjson.loads(line)
            if len(self._shared) >= _SHARED_LIMIT:
                del self._shared[next(iter(self._shared))]
            self._shared[line] = value
        return value


def apply_delta(current: Object, delta: tuple[Any, ...], sequence: int) -> Object:
    """Return ``current`` with the delta applied, at ``resourceVersion`` ``sequence``."""
    merged, replaced, removed = delta
    obj = {**current, **replaced}
    for part, fields in merged.items():
        obj[part] = {**obj[part], **fields}
    obj["metadata"] = {**obj["metadata"], "resourceVersion": str(sequence)}
    for path in removed:
        if len(path) == 1:
            obj.pop(path[0], None)
        else:
            # Fresh dictionaries only: the current object's parts are frozen.
            obj[path[0]] = {k: v for k, v in obj[path[0]].items() if k != path[1]}
    return obj
