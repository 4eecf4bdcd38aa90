"""Revisions: what the pod template of a StatefulSet or DaemonSet was, as ControllerRevisions.

A revision's data is a strategic merge patch that puts its template back: that is what
``kubectl rollout undo`` sends, and what ``kubectl rollout history`` applies to show one. Rules:
k8s.io/kubernetes/pkg/controller/history, and ``getPatch`` of both controllers.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from orchestrator.controllers._owners import controller_reference
from orchestrator.controllers.plans import Creation, Deletion, Plan, Update
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    labels_of,
    meta,
    name_of,
    spec_of,
    status_of,
)

REVISIONS: Final = "controllerrevisions.apps"
POD_LABEL: Final = "controller-revision-hash"
"""On pods, and on the revisions of DaemonSets."""

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_PREFIX: Final = 223
"""Characters of an owner's name that go into a revision's; upstream's number."""
_ESCAPED: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))
"""What Go's JSON writes for signs that HTML would take for its own."""


class Resolved(NamedTuple):
    """The revision of an owner's present template.

    Attributes:
        revision: As it is, or will be when ``write`` was done.
        collisions: ``status.collisionCount`` as it has to be.
        write: What makes ``revision`` true; None where it is.
    """

    revision: Object
    collisions: int
    write: Creation | Update | None


def revision_data(template: Object) -> Object:
    """Return the patch that replaces an owner's template, its keys sorted as upstream writes it."""
    patch: Object = orjson.loads(
        orjson.dumps(
            {"spec": {"template": {**template, "$patch": "replace"}}}, option=orjson.OPT_SORT_KEYS
        )
    )
    return patch


def template_of(revision: Object) -> Object:
    """Return the template that a revision's data puts back."""
    template = ((revision.get("data") or {}).get("spec") or {}).get("template") or {}
    return {field: value for field, value in template.items() if field != "$patch"}


def revision_hash(data: Object, collisions: int) -> str:
    """Return upstream's hash of a revision's data: FNV-1 (32 bits) of its JSON.

    Args:
        data: As `revision_data` makes it.
        collisions: How many names were found taken by something else.
    """
    text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    for sign, escaped in _ESCAPED:
        text = text.replace(sign, escaped)
    value = 0x811C9DC5
    for byte in text + str(collisions).encode():
        value = ((value * 0x01000193) & 0xFFFFFFFF) ^ byte
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(value))


def in_order(revisions: Iterable[Object]) -> list[Object]:
    """Return revisions from the lowest number to the highest, older ones first among equals."""
    return sorted(revisions, key=_order)


def _order(revision: Object) -> tuple[int, str, str]:
    created = revision["metadata"].get("creationTimestamp") or ""
    return (revision.get("revision") or 0, created, name_of(revision))


def number_of(revision: Object) -> int:
    """Return a revision's number, 0 where it has none."""
    number: int = revision.get("revision") or 0
    return number


def resolve_revision(
    owner: Object,
    revisions: Sequence[Object],
    label: str,
    lookup: Callable[[str], Object | None],
) -> Resolved:
    """Find the revision of the owner's template; make it, or make it the newest again.

    Args:
        owner: A StatefulSet or DaemonSet as committed.
        revisions: Its own, as `in_order` returns them.
        label: Under which a new one carries its hash.
        lookup: Returns the ControllerRevision of a name, whoever's it is.
    """
    template = spec_of(owner).get("template") or {}
    collisions: int = status_of(owner).get("collisionCount") or 0
    equal = [revision for revision in revisions if template_of(revision) == template]
    if equal:
        found = equal[-1]
        if found is revisions[-1]:
            return Resolved(found, collisions, None)
        newest = {**found, "revision": number_of(revisions[-1]) + 1}
        return Resolved(newest, collisions, Update(REVISIONS, found, newest))
    data = revision_data(template)
    number = number_of(revisions[-1]) + 1 if revisions else 1
    while True:
        hashed = revision_hash(data, collisions)
        name = f"{name_of(owner)[:_LONGEST_PREFIX]}-{hashed}"
        taken = lookup(name)
        if taken is None:
            break
        if template_of(taken) == template:
            return Resolved(taken, collisions, None)
        collisions += 1
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(meta(template).get("labels") or {}), label: hashed},
        "ownerReferences": [controller_reference(owner)],
    }
    if annotations := annotations_of(owner):
        metadata["annotations"] = annotations
    made = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": data,
        "revision": number,
    }
    return Resolved(made, collisions, Creation(REVISIONS, made))


def plan_writing(owner: Object, resource: str, resolved: Resolved) -> Plan:
    """Return the plan that writes a revision down, and the names that were found taken.

    Args:
        owner: As committed.
        resource: The owner's.
        resolved: With something to write.
    """
    plan = Plan()
    match resolved.write:
        case Creation() as creation:
            plan.create.append(creation)
        case Update() as update:
            plan.update.append(update)
    status = status_of(owner)
    if resolved.collisions != (status.get("collisionCount") or 0):
        counted = {**owner, "status": {**status, "collisionCount": resolved.collisions}}
        plan.update.append(Update(resource, owner, counted, "status"))
    return plan


def hash_of(revision: Object, label: str) -> str:
    """Return the hash that a revision carries, its name where it has no such label."""
    return labels_of(revision).get(label) or name_of(revision)


def surplus(revisions: Iterable[Object], live: Container[str], limit: int | None) -> list[Deletion]:
    """Return the deletions that leave ``limit`` revisions beside the live ones, lowest first.

    Args:
        revisions: As `in_order` returns them.
        live: Names of those in use.
        limit: ``spec.revisionHistoryLimit``; None and negative ones keep all.
    """
    if limit is None or limit < 0:
        return []
    idle = [revision for revision in revisions if name_of(revision) not in live]
    return [Deletion(REVISIONS, revision) for revision in idle[: max(0, len(idle) - limit)]]
