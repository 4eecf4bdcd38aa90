"""``metadata.managedFields``: who last set which field, kept with every write.

`track_update` is for creates, updates and patches; `orchestrator.resources.patches.apply` is for
server-side apply. Both follow k8s.io/apimachinery/pkg/util/managedfields: which metadata nobody
manages, when a timestamp moves, how many updaters are told apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from orchestrator.records import dataclass
from orchestrator.resources.definitions import SchemaNode
from orchestrator.resources.objects import Object, meta
from orchestrator.resources.patches._comparing import Difference, compare, fields_added
from orchestrator.resources.patches._shapes import shape_of
from orchestrator.resources.patches._versions import Versions
from orchestrator.resources.patches.field_sets import FieldSet, decode, difference, union
from orchestrator.resources.timestamps import format_time

MAX_UPDATERS = 10
"""Managers with operation Update that are told apart; upstream's figure."""

ANCIENT = "ancient-changes"
"""The manager that takes over the fields of the oldest updaters beyond `MAX_UPDATERS`."""

SYSTEM_METADATA = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    }
)
"""Fields of metadata that nobody manages."""

_STATUS_RESETS = frozenset({"f:labels", "f:ownerReferences", "f:deletionTimestamp"})


class ManagerId(NamedTuple):
    """What tells managers apart; an applier is the same across API versions."""

    manager: str
    operation: str
    api_version: str
    subresource: str


@dataclass(frozen=True, slots=True)
class ManagedEntry:
    """One manager's part.

    Attributes:
        fields: What it owns.
        api_version: The version in which it wrote.
        time: When its set last grew, as an RFC 3339 timestamp, or None.
        wire: The entry as it was read, as long as nothing in it changed.
    """

    fields: FieldSet
    api_version: str
    time: str | None
    wire: dict[str, Any] | None = None


Managers = dict[ManagerId, ManagedEntry]


def track_update(
    old: Object | None,
    new: Object,
    schema: SchemaNode | None,
    manager: str,
    now: float,
    subresource: str = "",
    versions: Versions | None = None,
) -> list[dict[str, Any]]:
    """Return the ``managedFields`` of ``new`` after a write that is not an apply.

    Both objects must be as they are stored, defaults included; the cost is that of what is not
    shared between them. `with_managed_fields` puts the result into the object.

    Args:
        old: The object before; None for a create.
        new: The object after; ``managedFields`` that its writer changed are honoured, a list of
            one empty entry resets them.
        schema: The kind's structure, None for a custom resource.
        manager: The field manager's name.
        now: Wall seconds since the epoch.
        subresource: ``status`` or ``scale`` when written through it.
        versions: The kind's other versions, where it has any.

    Returns:
        The list, empty for an object that is not tracked: one that has no entries when it is
        updated stays so until something is applied to it.
    """
    before = (meta(old).get("managedFields") or []) if old else []
    given = meta(new).get("managedFields")
    if subresource:
        given = before
    elif given == [{}]:
        return []
    managers = decode_managers(given) if given and given != before else None
    if not managers:
        managers = decode_managers(before, trusted=True) or {}
        given = before
    if old is not None and not managers:
        return []
    change = changes(old, new, schema, subresource)
    if not any(change):
        return given if isinstance(given, list) else []
    api_version = new.get("apiVersion") or ""
    identity = ManagerId(manager, "Update", api_version, subresource)
    seen = Seen(old, new, api_version, change, subresource, versions)
    release(managers, seen, keep=None)
    took = union(change.added, change.modified)
    if took:
        mine = managers.get(identity)
        fields = union(mine.fields, took) if mine else took
        managers[identity] = ManagedEntry(fields, api_version, format_time(now))
    return encode_managers(capped(managers))


def with_managed_fields(obj: Object, entries: list[dict[str, Any]]) -> Object:
    """Return ``obj`` with ``metadata.managedFields`` set, or without the field when empty."""
    metadata = meta(obj)
    if metadata.get("managedFields") is entries:
        return obj
    metadata = {**metadata, "managedFields": entries}
    if not entries:
        del metadata["managedFields"]
    return {**obj, "metadata": metadata}


def changes(
    old: Object | None, new: Object, schema: SchemaNode | None, subresource: str = ""
) -> Difference:
    """Return what a write changed of the fields that can be managed."""
    shape = shape_of(schema)
    if old is None:
        return Difference(managed_part(fields_added(manageable(new), shape), subresource), {}, {})
    found = compare(manageable(old), manageable(new), shape)
    return Difference(*(managed_part(part, subresource) for part in found))


def manageable(obj: Object) -> Object:
    """Return an object without the parts that nobody manages."""
    metadata = obj.get("metadata")
    result = {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}
    if metadata:
        result["metadata"] = {
            key: value for key, value in metadata.items() if key not in SYSTEM_METADATA
        }
    return result


def managed_part(fields: FieldSet, subresource: str) -> FieldSet:
    """Drop from a set what a write through this way in does not change.

    The resource itself does not write ``status``; ``status`` does not write ``spec`` and some of
    metadata.
    """
    gone = "f:status" if not subresource else "f:spec" if subresource == "status" else ""
    metadata = fields.get("f:metadata")
    if gone not in fields and metadata is None:
        return fields
    result = {element: below for element, below in fields.items() if element != gone}
    if metadata is not None:
        drop = _STATUS_RESETS if subresource == "status" else frozenset()
        kept = {key: below for key, below in metadata.items() if key != "." and key not in drop}
        if kept:
            result["f:metadata"] = kept
        else:
            del result["f:metadata"]
    return result


class Seen:
    """A change as the managers of each version see it; other versions are compared once asked."""

    def __init__(
        self,
        old: Object | None,
        new: Object,
        api_version: str,
        change: Difference,
        subresource: str,
        versions: Versions | None,
    ) -> None:
        self._old = old
        self._new = new
        self._subresource = subresource
        self._versions = versions
        self._known: dict[str, Difference | None] = {api_version: change}
        self._here = change

    def as_in(self, api_version: str) -> Difference | None:
        """Return the change in a version; None when that is not served any more."""
        if self._versions is None:
            return self._here
        if api_version not in self._known:
            self._known[api_version] = self._compared(api_version)
        return self._known[api_version]

    def _compared(self, api_version: str) -> Difference | None:
        assert self._versions is not None
        other = self._versions(api_version)
        if other is None:
            return None
        old = None if self._old is None else other.convert(self._old)
        return changes(old, other.convert(self._new), other.schema, self._subresource)


def release(managers: Managers, seen: Seen, keep: ManagerId | None) -> None:
    """Take changed and removed fields from all managers but ``keep``, in place.

    A manager whose version is not served any more goes: nobody can say what its fields are.
    """
    lost: dict[str, FieldSet] = {}
    for identity, entry in list(managers.items()):
        if identity == keep:
            continue
        if entry.api_version not in lost:
            change = seen.as_in(entry.api_version)
            if change is None:
                del managers[identity]
                continue
            lost[entry.api_version] = union(union(change.added, change.modified), change.removed)
        rest = difference(entry.fields, lost[entry.api_version])
        if not rest:
            del managers[identity]
        elif rest != entry.fields:
            managers[identity] = replace(entry, fields=rest, wire=None)


def capped(managers: Managers) -> Managers:
    """Merge the oldest updaters into one, per API version, when there are too many."""
    updaters = [identity for identity in managers if identity.operation == "Update"]
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return managers
    updaters.sort(key=lambda identity: (managers[identity].time or "", identity))
    result = dict(managers)
    oldest: dict[str, ManagerId] = {}
    for identity in updaters:
        if excess <= 0:
            break
        first = oldest.setdefault(identity.api_version, identity)
        if first == identity:
            continue
        bucket = ManagerId(ANCIENT, "Update", identity.api_version, "")
        held = result[bucket] if bucket in result else result.pop(first)
        entry = result.pop(identity)
        fields = union(held.fields, entry.fields)
        result[bucket] = ManagedEntry(fields, entry.api_version, entry.time)
        excess -= 1
    return result


def decode_managers(entries: Any, *, trusted: bool = False) -> Managers | None:
    """Read ``managedFields``; None when an entry is malformed.

    Args:
        entries: The list.
        trusted: Whether it was written by `encode_managers`, so that its sets need no check.
    """
    if not isinstance(entries, list):
        return None
    managers: Managers = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("operation") not in {"Apply", "Update"}:
            return None
        written = entry.get("fieldsV1") or {}
        fields = written if trusted else decode(written)
        if fields is None or entry.get("fieldsType", "FieldsV1") != "FieldsV1":
            return None
        operation = entry["operation"]
        api_version = entry.get("apiVersion") or ""
        identity = ManagerId(
            entry.get("manager") or "",
            operation,
            api_version if operation == "Update" else "",
            entry.get("subresource") or "",
        )
        held = managers.get(identity)
        managers[identity] = (
            ManagedEntry(fields, api_version, entry.get("time"), entry)
            if held is None
            else replace(held, fields=union(held.fields, fields), wire=None)
        )
    return managers


def encode_managers(managers: Managers) -> list[dict[str, Any]]:
    """Write ``managedFields`` in upstream's order: appliers first, then by time and name."""
    ordered = sorted(
        managers.items(),
        key=lambda item: (
            item[0].operation,
            item[1].time or "",
            item[0].manager,
            item[1].api_version,
            item[0].subresource,
        ),
    )
    return [entry.wire or _entry(identity, entry) for identity, entry in ordered]


def _entry(identity: ManagerId, entry: ManagedEntry) -> dict[str, Any]:
    result: dict[str, Any] = {
        "manager": identity.manager,
        "operation": identity.operation,
        "apiVersion": entry.api_version,
    }
    if entry.time:
        result["time"] = entry.time
    result["fieldsType"] = "FieldsV1"
    result["fieldsV1"] = entry.fields
    if identity.subresource:
        result["subresource"] = identity.subresource
    return result
