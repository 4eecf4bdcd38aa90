"""What a write does to one object: pure decisions, from the current object to the next.

The sequencer (`orchestrator.store.sequencer`) runs these and makes their results durable.
Source of order, codes and words: k8s.io/apiserver pkg/registry/generic/registry and
pkg/registry/rest, k8s.io/kubernetes pkg/registry/core/{pod,namespace}.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from orchestrator.resources.custom.definitions import marked_for_deletion
from orchestrator.resources.custom.kinds import DEFINITIONS
from orchestrator.resources.errors import FieldError, StatusError, conflict, forbidden, invalid
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Key, Object
from orchestrator.resources.timestamps import format_time, parse_time
from orchestrator.store.operations import DeleteOptions

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
ORPHANING = frozenset({"jobs.batch", "replicationcontrollers"})
"""Resources whose dependents stay, unless a deletion says otherwise: upstream's strategies keep it
so for the versions that are served, for clients that were there before the garbage collector."""
POLICIES = ("Foreground", "Background", "Orphan")
IMMORTAL = frozenset({"default", "kube-system", "kube-public"})

_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "name")


class Verdict(NamedTuple):
    """What a delete comes to.

    Attributes:
        effect: ``remove`` the object now, ``update`` it to `object`, or ``keep`` it as it is.
        object: The object that the caller gets.
    """

    effect: Literal["remove", "update", "keep"]
    object: Object


def check_identity(key: Key, current: Object, uid: str | None) -> None:
    """Refuse a write that was meant for another object of the same name.

    Raises:
        StatusError: 409 in the words of upstream's storage layer.
    """
    if uid and uid != current["metadata"]["uid"]:
        path = "/".join(part for part in ("/registry", key.resource, key.namespace) if part)
        raise conflict(
            key.resource,
            key.name,
            f"StorageError: invalid object, Code: 4, Key: {path}/{key.name}, ResourceVersion: 0, "
            f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
            f"UID in object meta: {current['metadata']['uid']}",
        )


def decide_metadata(current: Object, wanted: Object) -> Object:
    """Return ``wanted`` with the metadata that only the store may set taken from ``current``."""
    before, after = current["metadata"], wanted["metadata"]
    if before is after:
        return wanted
    changed = {field: before.get(field) for field in _KEPT if before.get(field) != after.get(field)}
    if before.get("namespace") != after.get("namespace"):
        changed["namespace"] = before.get("namespace")
    if not changed:
        return wanted
    metadata = {**after, **changed}
    for field, value in changed.items():
        if value is None:
            del metadata[field]
    return {**wanted, "metadata": metadata}


def is_finished(key: Key, obj: Object) -> bool:
    """Tell whether an object that is being deleted has nothing left that holds it."""
    metadata = obj["metadata"]
    if metadata.get("deletionTimestamp") is None or metadata.get("finalizers"):
        return False
    if key[0] == "namespaces" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")


def decide_delete(
    kind: Kind, key: Key, current: Object, options: DeleteOptions, now: float
) -> Verdict:
    """Decide what a delete request does.

    Args:
        kind: Of the object.
        key: Of the object.
        current: The object.
        options: As asked.
        now: Seconds since the epoch.

    Raises:
        StatusError: 409 for a failed precondition, 422 for bad options, 403 for a namespace that
            may not be deleted.
    """
    check_options(options)
    check_preconditions(kind, key, current, options)
    if key[0] == "namespaces":
        return _delete_namespace(key, current, options, now)
    if key[0] == DEFINITIONS:
        current = marked_for_deletion(current, format_time(now))
    metadata = current["metadata"]
    if key[0] == "pods":
        graceful = _delete_pod(current, options, now)
        if graceful is not None:
            return graceful
    present = metadata.get("finalizers") or []
    finalizers = _collector_finalizers(present, options, orphans=key[0] in ORPHANING)
    if not finalizers:
        return Verdict("remove", current)
    marked = _mark(metadata, now, 0)
    marked["finalizers"] = finalizers
    if marked == metadata:
        return Verdict("keep", current)
    return Verdict("update", {**current, "metadata": marked})


def check_options(options: DeleteOptions) -> None:
    """Refuse options of a deletion that contradict one another, or are none.

    Raises:
        StatusError: 422.
    """
    causes = []
    policy = options.propagation_policy
    if policy is not None and options.orphan_dependents is not None:
        causes.append(
            FieldError(
                "FieldValueInvalid",
                "propagationPolicy",
                f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be '
                "both set",
            )
        )
    if policy is not None and policy not in POLICIES:
        known = ", ".join(f'"{name}"' for name in (*POLICIES, "nil"))
        causes.append(
            FieldError(
                "FieldValueNotSupported",
                "propagationPolicy",
                f'Unsupported value: "{policy}": supported values: {known}',
            )
        )
    if causes:
        raise invalid("DeleteOptions", "meta.k8s.io", "", causes)


def check_preconditions(kind: Kind, key: Key, current: Object, options: DeleteOptions) -> None:
    """Refuse an object that is not the one, or not as it was, for which a deletion was meant.

    Raises:
        StatusError: 409.
    """
    metadata = current["metadata"]
    # Upstream names the kind here, not the resource.
    name = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    if options.uid is not None and options.uid != metadata["uid"]:
        raise conflict(
            name,
            key.name,
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({metadata['uid']}). The object might have been deleted and then recreated",
        )
    version = options.resource_version
    if version is not None and version != metadata["resourceVersion"]:
        raise conflict(
            name,
            key.name,
            f"the ResourceVersion in the precondition ({version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have "
            "been modified",
        )


def _delete_namespace(key: Key, current: Object, options: DeleteOptions, now: float) -> Verdict:
    if key.name in IMMORTAL:
        raise forbidden("namespaces", key.name, "this namespace may not be deleted")
    metadata = current["metadata"]
    if metadata.get("deletionTimestamp") is None:
        marked = _mark(metadata, now, None)
        finalizers = _collector_finalizers(metadata.get("finalizers") or [], options)
        if finalizers:
            marked["finalizers"] = finalizers
        status = {**(current.get("status") or {}), "phase": "Terminating"}
        after = {**current, "metadata": marked, "status": status}
        if is_finished(key, after):
            return Verdict("remove", after)
        return Verdict("update", after)
    if is_finished(key, current):
        return Verdict("remove", current)
    return Verdict("keep", current)


def _delete_pod(current: Object, options: DeleteOptions, now: float) -> Verdict | None:
    """Decide as long as grace is left; None hands on to what finalizers say."""
    metadata, spec = current["metadata"], current["spec"]
    asked = options.grace_period_seconds
    if metadata.get("deletionTimestamp") is not None:
        left = metadata.get("deletionGracePeriodSeconds")
        if not left:
            return None
        if asked is None or asked >= left:
            return Verdict("keep", current)
        # Only shortening counts: the end moves from when the deletion was first asked for.
        begun = parse_time(metadata["deletionTimestamp"]) - left
        period = max(asked, 0)
        if period == 0 and not metadata.get("finalizers"):
            return None
        marked = {
            **metadata,
            "deletionTimestamp": format_time(begun + period),
            "deletionGracePeriodSeconds": period,
        }
        return Verdict("update", {**current, "metadata": marked})
    period = asked if asked is not None else spec.get("terminationGracePeriodSeconds", 30)
    if not spec.get("nodeName") or (current.get("status") or {}).get("phase") in {
        "Succeeded",
        "Failed",
    }:
        period = 0
    elif period < 0:
        period = 1
    if period == 0:
        return None
    marked = _mark(metadata, now + period, period)
    finalizers = _collector_finalizers(metadata.get("finalizers") or [], options)
    if finalizers:
        marked["finalizers"] = finalizers
    else:
        marked.pop("finalizers", None)
    return Verdict("update", {**current, "metadata": marked})


def _mark(metadata: dict[str, Any], when: float, grace: int | None) -> dict[str, Any]:
    marked = dict(metadata)
    if marked.get("deletionTimestamp") is None:
        marked["deletionTimestamp"] = format_time(when)
        if marked.get("generation"):
            marked["generation"] += 1
    if grace is not None:
        marked["deletionGracePeriodSeconds"] = grace
    return marked


def is_unsaid(options: DeleteOptions) -> bool:
    """Tell whether a deletion does not say what becomes of dependents."""
    return options.orphan_dependents is None and options.propagation_policy is None


def _collector_finalizers(
    present: list[str], options: DeleteOptions, *, orphans: bool = False
) -> list[str]:
    """Return the finalizers with those that ask the garbage collector for a policy.

    Args:
        present: Those that the object has; they decide where the options don't.
        options: Of the deletion.
        orphans: What is done where nothing else decides.
    """
    if options.orphan_dependents is not None:
        wanted = ORPHAN if options.orphan_dependents else None
    elif options.propagation_policy is not None:
        wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(options.propagation_policy)
    else:
        asked = next((name for name in present if name in {ORPHAN, FOREGROUND}), None)
        wanted = asked or (ORPHAN if orphans else None)
    if wanted is not None and wanted in present:
        return present
    kept = [name for name in present if name not in {ORPHAN, FOREGROUND}]
    return [*kept, wanted] if wanted else kept


def check_namespace(name: str, namespace: Object | None, key: Key) -> None:
    """Refuse a create in a namespace that is missing or going away.

    Raises:
        StatusError: 404 or 403 with the cause ``NamespaceTerminating``.
    """
    if namespace is None:
        raise StatusError(
            404,
            "NotFound",
            f'namespaces "{name}" not found',
            {"name": name, "kind": "namespaces"},
        )
    if (
        namespace["metadata"].get("deletionTimestamp") is not None
        or (namespace.get("status") or {}).get("phase") == "Terminating"
    ):
        error = forbidden(
            key.resource,
            key.name,
            f"unable to create new content in namespace {name} because it is being terminated",
        )
        assert error.details is not None
        error.details["causes"] = [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
        ]
        raise error
