"""What the garbage collector does about an object: from its owners and dependents to a plan. Pure.

`orchestrator.controllers.garbage.actor` looks owners and dependents up and applies the plan.
Rules: k8s.io/kubernetes/pkg/controller/garbagecollector.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from orchestrator.controllers._owners import without_owners
from orchestrator.controllers.plans import Deletion, Emit, Plan, Update
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object, is_deleting, meta, name_of, uid_of, with_meta

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"

BATCH: Final = 500
"""Dependents orphaned in one plan."""


class OwnerState(Enum):
    """What became of the owner that a reference names."""

    SOLID = "exists"
    ABSENT = "does not exist"
    WAITING = "is being deleted in the foreground"
    UNKNOWN = "is of a kind that is not served"
    INVALID = "is namespaced, the dependent is not"
    ELSEWHERE = "is in another namespace"


@dataclass(frozen=True, slots=True)
class Owned:
    """A dependent as the collector found it.

    Attributes:
        resource: Where it is stored.
        object: The dependent.
    """

    resource: str
    object: Object


def decide_collection(
    resource: str,
    obj: Object,
    owners: Sequence[tuple[dict[str, Any], OwnerState]],
    dependents: Sequence[Owned],
) -> Plan:
    """Return what to do about one object; ``GarbageCollector`` applies it.

    Args:
        resource: Where the object is stored.
        obj: As committed.
        owners: Its owner references with what became of each.
        dependents: What refers to it.
    """
    finalizers = meta(obj).get("finalizers") or ()
    if is_deleting(obj):
        if ORPHAN in finalizers:
            return _orphan(resource, obj, dependents)
        if FOREGROUND in finalizers:
            return _finish_foreground(resource, obj, dependents)
        return Plan()
    return _collect(resource, obj, owners, dependents)


def _orphan(resource: str, obj: Object, dependents: Sequence[Owned]) -> Plan:
    """Let go of dependents; when none is left, of the object."""
    plan = Plan()
    for dependent in dependents[:BATCH]:
        freed = without_owners(dependent.object, {uid_of(obj)})
        plan.update.append(Update(dependent.resource, dependent.object, freed))
    if not dependents:
        plan.update.append(Update(resource, obj, _without_finalizer(obj, ORPHAN)))
    return plan


def _finish_foreground(resource: str, obj: Object, dependents: Sequence[Owned]) -> Plan:
    if any(_blocks(dependent.object, obj) for dependent in dependents):
        return Plan()  # the dependents are looked at by themselves, and wake this one
    return Plan(update=[Update(resource, obj, _without_finalizer(obj, FOREGROUND))])


def _collect(
    resource: str,
    obj: Object,
    owners: Sequence[tuple[dict[str, Any], OwnerState]],
    dependents: Sequence[Owned],
) -> Plan:
    plan = Plan()
    namespace: str = meta(obj).get("namespace", "")
    for reference, state in owners:
        if state in {OwnerState.INVALID, OwnerState.ELSEWHERE}:
            identity = _identity(reference, namespace)
            text = f'ownerRef [{identity}] does not exist in namespace "{namespace}"'
            plan.events.append(Emit(obj, "Warning", "OwnerRefInvalidNamespace", text))
    held = {OwnerState.SOLID, OwnerState.UNKNOWN, OwnerState.INVALID}
    absent = {OwnerState.ABSENT, OwnerState.ELSEWHERE}
    gone = {ref["uid"] for ref, state in owners if state in absent}
    waiting = {ref["uid"] for ref, state in owners if state is OwnerState.WAITING}
    if not gone and not waiting:
        return plan
    if any(state in held for _, state in owners):
        freed = without_owners(obj, gone | waiting)
        plan.update.append(Update(resource, obj, freed))
        return plan
    finalizers = meta(obj).get("finalizers") or ()
    if waiting and dependents:
        policy = "Foreground"
        if any(_is_in_foreground(dependent.object) for dependent in dependents):
            # Two that own one another would wait for ever: this one no longer blocks its owner.
            plan.update.append(Update(resource, obj, _unblocking(obj)))
    elif ORPHAN in finalizers:
        policy = "Orphan"
    elif FOREGROUND in finalizers:
        policy = "Foreground"
    else:
        policy = "Background"
    plan.delete.append(Deletion(resource, obj, policy, current=not plan.update))
    return plan


def _blocks(dependent: Object, owner: Object) -> bool:
    return any(
        reference.get("uid") == uid_of(owner) and reference.get("blockOwnerDeletion")
        for reference in meta(dependent).get("ownerReferences") or ()
    )


def _is_in_foreground(obj: Object) -> bool:
    return is_deleting(obj) and FOREGROUND in (meta(obj).get("finalizers") or ())


def _unblocking(obj: Object) -> Object:
    references = [
        {**reference, "blockOwnerDeletion": False}
        for reference in meta(obj).get("ownerReferences") or ()
    ]
    return with_meta(obj, ownerReferences=references)


def _without_finalizer(obj: Object, finalizer: str) -> Object:
    rest = [found for found in meta(obj).get("finalizers") or () if found != finalizer]
    return with_meta(obj, finalizers=rest or None)


def _identity(reference: dict[str, Any], namespace: str) -> str:
    return (
        f"{reference.get('apiVersion')}/{reference.get('kind')}, namespace: {namespace}, "
        f"name: {name_of({'metadata': reference})}, uid: {reference.get('uid')}"
    )
