"""Server-side apply: a manager states the fields it wants, and owns those.

Semantics: sigs.k8s.io/structured-merge-diff (merge) and
k8s.io/apimachinery/pkg/util/managedfields. What managers of other API versions hold is compared in
their version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from orchestrator.resources.definitions import SchemaNode
from orchestrator.resources.errors import StatusError, bad_request
from orchestrator.resources.objects import Object, annotations_of, meta, name_of, namespace_of
from orchestrator.resources.patches._comparing import compare, fields_added, fields_applied
from orchestrator.resources.patches._json import same
from orchestrator.resources.patches._merging import merge, prune, without_nulls
from orchestrator.resources.patches._shapes import Shape, shape_of
from orchestrator.resources.patches._versions import Versions
from orchestrator.resources.patches.errors import shallow
from orchestrator.resources.patches.field_sets import (
    FieldSet,
    difference,
    intersection,
    path_text,
    paths,
    union,
)
from orchestrator.resources.patches.managed_fields import (
    ManagedEntry,
    ManagerId,
    Managers,
    Seen,
    changes,
    decode_managers,
    encode_managers,
    manageable,
    managed_part,
    release,
    with_managed_fields,
)
from orchestrator.resources.timestamps import format_time

BEFORE_FIRST_APPLY = "before-first-apply"
"""Who owns the fields of an object that was not tracked until something was applied to it."""

KUBECTL = "kubectl"
"""kubectl's manager for server-side apply, which may take over from its client-side apply."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_IDENTITY = ("operation", "manager", "apiVersion", "subresource")
_NOT_APPLIED = ("creationTimestamp", "generation", "selfLink", "deletionTimestamp")


@shallow
def server_side_apply(
    current: Object | None,
    applied: Object,
    schema: SchemaNode | None,
    *,
    manager: str,
    force: bool,
    now: float,
    subresource: str = "",
    default: Callable[[Object], Object] | None = None,
    versions: Versions | None = None,
) -> Object:
    """Return the object after ``manager`` applied ``applied``.

    A pure function of its arguments, so that ``Store.modify`` may call it again on a newer
    revision: ``lambda current: server_side_apply(current, applied, ...)``.

    Args:
        current: The object as stored; None creates it.
        applied: The configuration, which `check_typed` has passed. A ``resourceVersion`` or
            ``uid`` in it is carried into the result, for the store to check.
        schema: The kind's structure, None for a custom resource.
        manager: The field manager's name.
        force: Take fields over from managers in conflict.
        now: Wall seconds since the epoch.
        subresource: ``status`` or ``scale`` when applied through it.
        default: Fills in defaults. Called on a result that changed, after conflicts were
            looked for: as upstream has it, nobody owns a default until it is written.
        versions: The kind's other versions, where it has any.

    Returns:
        The new object with its ``managedFields``; ``current`` itself when nothing changed.

    Raises:
        StatusError: 409 with one cause per conflicting field, 400 for a configuration that
            carries ``managedFields``.
    """
    if meta(applied).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    shape = shape_of(schema)
    config = _configuration(applied, subresource)
    live = current if current is not None else _skeleton(applied)
    managers = _managers_of(current, shape, subresource, now)
    api_version = applied.get("apiVersion") or ""
    identity = ManagerId(manager, "Apply", "", subresource)
    last = managers.get(identity)
    claimed = managed_part(fields_applied(manageable(config), shape), subresource)
    merged = merge(live, config, shape)
    if last is not None:
        others = [entry.fields for other, entry in managers.items() if other != identity]
        if versions is None or last.api_version == api_version:
            merged = prune(merged, last.fields, _union_of(claimed, *others), shape)
        else:
            merged = _prune_elsewhere(merged, config, last, others, subresource, versions)
    change = changes(live, merged, schema, subresource)
    seen = Seen(live, merged, api_version, change, subresource, versions)
    if not force and any(change):
        _refuse_conflicts(managers, identity, seen, live, shape)
    release(managers, seen, keep=identity)
    if last is None or last.fields != claimed or last.api_version != api_version or any(change):
        # As upstream: the time is that of the last change to the object, not to the set.
        time = format_time(now) if any(change) or current is None else last.time if last else None
        managers[identity] = ManagedEntry(claimed, api_version, time)
    if not claimed:
        managers.pop(identity, None)
    return _result(current, merged, managers, manager, applied, default)


def _union_of(*sets: FieldSet) -> FieldSet:
    result: FieldSet = {}
    for fields in sets:
        result = union(result, fields)
    return result


def _prune_elsewhere(
    merged: Object,
    config: Object,
    last: ManagedEntry,
    others: list[FieldSet],
    subresource: str,
    versions: Versions,
) -> Object:
    """Prune in the version in which the manager applied last; nothing when that is gone."""
    there, here = versions(last.api_version), versions(merged["apiVersion"])
    if there is None or here is None:
        return merged
    shape = shape_of(there.schema)
    claimed = fields_applied(manageable(there.convert(config)), shape)
    converted = there.convert(merged)
    owned = _union_of(managed_part(claimed, subresource), *others)
    pruned = prune(converted, last.fields, owned, shape)
    return merged if pruned is converted else here.convert(pruned)


def _configuration(applied: Object, subresource: str) -> Object:
    """Return what of an applied object takes effect through this way in."""
    gone = "status" if not subresource else "spec" if subresource == "status" else ""
    config = {key: value for key, value in applied.items() if key != gone}
    if any(field in meta(applied) for field in (*_NOT_APPLIED, "managedFields")):
        config["metadata"] = {
            key: value
            for key, value in meta(applied).items()
            if key not in _NOT_APPLIED and key != "managedFields"
        }
    return config


def _skeleton(applied: Object) -> Object:
    metadata = {
        key: value for key, value in meta(applied).items() if key in {"name", "namespace"} and value
    }
    return {
        "apiVersion": applied.get("apiVersion"),
        "kind": applied.get("kind"),
        "metadata": metadata,
    }


def _managers_of(current: Object | None, shape: Shape, subresource: str, now: float) -> Managers:
    if current is None:
        return {}
    managers = decode_managers(meta(current).get("managedFields") or [], trusted=True) or {}
    if managers:
        return managers
    fields = managed_part(fields_added(manageable(current), shape), subresource)
    if not fields:
        return {}
    api_version = current.get("apiVersion") or ""
    identity = ManagerId(BEFORE_FIRST_APPLY, "Update", api_version, "")
    return {identity: ManagedEntry(fields, api_version, format_time(now))}


def _refuse_conflicts(
    managers: Managers,
    identity: ManagerId,
    seen: Seen,
    live: Object,
    shape: Shape,
) -> None:
    passed = _client_side_applied(live, shape) if identity.manager == KUBECTL else {}
    conflicts = []
    for other in sorted(managers):
        change = seen.as_in(managers[other].api_version)
        if other == identity or change is None:
            continue
        taken = difference(union(change.added, change.modified), passed)
        common = intersection(managers[other].fields, taken)
        conflicts += [(other, path_text(path)) for path in paths(common)]
    if conflicts:
        raise _conflict(conflicts)


def _conflict(conflicts: list[tuple[ManagerId, str]]) -> StatusError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_manager_text(manager)}",
            "field": path,
        }
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        message = f"Apply failed with 1 conflict: conflict with {_manager_text(manager)}: {path}"
    else:
        lines = []
        for manager in dict.fromkeys(manager for manager, _ in conflicts):
            lines.append(f"conflicts with {_manager_text(manager)}:")
            lines += [f"- {path}" for other, path in conflicts if other == manager]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    return StatusError(409, "Conflict", message, {"causes": causes})


def _manager_text(manager: ManagerId) -> str:
    text = f'"{manager.manager}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    if manager.operation == "Update":
        text += f" using {manager.api_version}"
    return text


def _client_side_applied(live: Object, shape: Shape) -> FieldSet:
    """Return the fields that ``kubectl apply`` set on the client side and that still stand.

    kubectl may take those over without force: that is how an object moves from client-side to
    server-side apply.
    """
    last = _last_applied(live)
    if last is None:
        return {}
    fields = fields_applied(manageable(last), shape)
    standing = merge(live, last, shape)
    if standing is live:
        return fields
    change = compare(manageable(live), manageable(standing), shape)
    return difference(fields, union(change.added, change.modified))


def _last_applied(obj: Object) -> Object | None:
    text = annotations_of(obj).get(LAST_APPLIED)
    if not isinstance(text, str):
        return None
    try:
        last = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return last if isinstance(last, dict) else None


def _result(
    current: Object | None,
    merged: Object,
    managers: Managers,
    manager: str,
    applied: Object,
    default: Callable[[Object], Object] | None,
) -> Object:
    changed = current is not None and merged is not current
    if changed and manager == KUBECTL and LAST_APPLIED in annotations_of(merged):
        merged = _with_last_applied(merged, applied)
    entries = encode_managers(managers)
    if default is not None and merged is not current:
        merged = default(merged)
    if current is not None and _is_same(current, merged, entries):
        return current
    return with_managed_fields(merged, entries)


def _is_same(current: Object, merged: Object, entries: list[dict[str, Any]]) -> bool:
    """Tell whether a result differs from the object in the entries' times at most.

    That happens when a value is written in another way than it is stored (``1000m``, ``1``).
    """
    before = meta(current).get("managedFields") or []
    if _timeless(entries) != _timeless(before):
        return False
    return merged is current or same(
        with_managed_fields(merged, []), with_managed_fields(current, [])
    )


def _timeless(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bare = [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
    return sorted(bare, key=lambda entry: [str(entry.get(key)) for key in _IDENTITY])


def _with_last_applied(merged: Object, applied: Object) -> Object:
    """Keep the client-side annotation in step, so that going back to it prunes rightly."""
    kept = {key: value for key, value in annotations_of(applied).items() if key != LAST_APPLIED}
    config: dict[str, Any] = without_nulls(_configuration(applied, ""))
    config["metadata"] = {
        "annotations": kept,
        **{key: value for key, value in config.get("metadata", {}).items() if key != "annotations"},
        "name": name_of(merged),
    }
    if namespace_of(merged):
        config["metadata"]["namespace"] = namespace_of(merged)
    text = orjson.dumps(config, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    annotations = {**annotations_of(merged), LAST_APPLIED: text}
    return {**merged, "metadata": {**meta(merged), "annotations": annotations}}
