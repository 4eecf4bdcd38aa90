"""The payload of a log record: whole objects once, then only the parts that changed.

A record is a msgpack array ``[FORMAT, kind, ...]``:

- ``[1, CREATE, {part: value}]``: the whole object. A value of type *bin* is a packed part: parts
  that many objects share (a template's pod spec) are packed once and copied as bytes, and replay
  unpacks equal bytes once, so that the sharing survives a restart.
- ``[1, UPDATE, {part: {field: value}}, {part: value}, [[part] | [part, field]]]``: fields set in
  a dictionary part, parts replaced whole, and what was removed; trailing empty ones are left out.
  ``status.conditions``, which pods that became ready together share, may be packed like a part.
- ``[1, DELETE]``: the object is gone; its last state is the fold of what came before.

``metadata.resourceVersion`` is not stored: it is the record's own sequence number. ``namespace``,
``name`` and the resource are in the record's key.
"""

from __future__ import annotations

from typing import Any

import msgpack

from orchestrator.resources.objects import Key, Object

FORMAT = 1
CREATE, UPDATE, DELETE = 0, 1, 2

_SHARED_LIMIT = 1024
_SHARED_PARTS = ("spec", "status")

Delta = tuple[dict[str, dict[str, Any]], dict[str, Any], list[list[str]]]

_ABSENT = object()

DELETED = msgpack.packb([FORMAT, DELETE])


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
    for part, value in new.items():
        before = old.get(part, _ABSENT)
        if before is value:
            continue
        if type(value) is dict and type(before) is dict:
            fields = _diff_fields(part, before, value, removed)
            if fields:
                merged[part] = fields
        elif before != value:
            replaced[part] = value
    if len(old) != len(new) or old.keys() != new.keys():
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
    """Packs payloads; remembers the packed form of parts that objects share by identity."""

    def __init__(self) -> None:
        self._pack = msgpack.Packer().pack
        self._shared: dict[int, tuple[Any, bytes]] = {}

    def create(self, obj: Object) -> bytes:
        """Pack a whole object."""
        parts = dict(obj)
        for part in _SHARED_PARTS:
            value = parts.get(part)
            if value:
                parts[part] = self._packed(value)
        return self._pack((FORMAT, CREATE, parts))  # type: ignore[no-any-return] # msgpack is untyped

    def update(self, delta: Delta) -> bytes:
        """Pack a difference that `diff_objects` found."""
        merged, replaced, removed = delta
        status = merged.get("status")
        if status is not None and (conditions := status.get("conditions")):
            merged = {**merged, "status": {**status, "conditions": self._packed(conditions)}}
        if removed:
            return self._pack((FORMAT, UPDATE, merged, replaced, removed))  # type: ignore[no-any-return] # msgpack is untyped
        if replaced:
            return self._pack((FORMAT, UPDATE, merged, replaced))  # type: ignore[no-any-return] # msgpack is untyped
        return self._pack((FORMAT, UPDATE, merged))  # type: ignore[no-any-return] # msgpack is untyped

    def _packed(self, value: Any) -> bytes:
        found = self._shared.get(id(value))
        if found is not None:
            return found[1]  # the entry holds the value, so its id cannot have been given away
        data: bytes = self._pack(value)
        if len(self._shared) >= _SHARED_LIMIT:
            del self._shared[next(iter(self._shared))]
        self._shared[id(value)] = (value, data)
        return data


class Decoder:
    """Unpacks payloads and folds them; equal shared parts come back as one object."""

    def __init__(self) -> None:
        self._shared: dict[bytes, Any] = {}

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
        record = msgpack.unpackb(data, strict_map_key=False)
        if record[0] != FORMAT:
            raise UnknownPayload(
                f"record {sequence} ({key}) has payload format {record[0]}, this version reads "
                f"{FORMAT}: open the data directory with the version that wrote it"
            )
        if record[1] == CREATE:
            obj: Object = {
                part: self._unpacked(value) if type(value) is bytes else value
                for part, value in record[2].items()
            }
            obj["metadata"]["resourceVersion"] = str(sequence)
            return obj
        if record[1] == DELETE:
            return None
        if current is None:
            raise UnknownPayload(f"record {sequence} changes {key}, which the log never created")
        status = record[2].get("status")
        if status is not None and type(conditions := status.get("conditions")) is bytes:
            status["conditions"] = self._unpacked(conditions)
        return apply_delta(current, (*record[2:], *({}, {}, [])[len(record) - 2 :]), sequence)

    def _unpacked(self, data: bytes) -> Any:
        value = self._shared.get(data)
        if value is None:
            value = msgpack.unpackb(data, strict_map_key=False)
            if len(self._shared) >= _SHARED_LIMIT:
                del self._shared[next(iter(self._shared))]
            self._shared[data] = value
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
