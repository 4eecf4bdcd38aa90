"""What a definition needs next. Pure; `orchestrator.controllers.definitions.actor` applies it.

Rules: k8s.io/apiextensions-apiserver pkg/controller/{status,establish,apiapproval,
nonstructuralschema,finalizer}.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.controllers.plans import Deletion, Plan, Update
from orchestrator.resources.conditions import is_condition_true, set_condition
from orchestrator.resources.custom.definitions import FINALIZER
from orchestrator.resources.custom.kinds import DEFINITIONS
from orchestrator.resources.custom.naming import settled_status
from orchestrator.resources.objects import Object, is_deleting, meta, status_of
from orchestrator.resources.timestamps import format_time, parse_time

BATCH: Final = 500
"""Objects deleted in one plan."""

SOONEST: Final = 0.1
"""Seconds between two looks at the objects of a definition whose deletion has just begun."""

LATEST: Final = 5.0
"""Seconds between two looks at those of one that has been waiting for long; upstream's interval."""


def decide_definition(
    crd: Object, others: Iterable[Object], instances: Sequence[Object], now: float
) -> Plan:
    """Return the next step; ``DefinitionController`` applies it.

    Args:
        crd: As committed.
        others: The other definitions of its group.
        instances: Its objects, if it is being deleted.
        now: Wall seconds.
    """
    if is_deleting(crd):
        return _decide_deletion(crd, instances, now)
    plan = Plan()
    status = settled_status(crd, others, format_time(now))
    if status is not status_of(crd):
        new = {**crd, "status": status}
        plan.update.append(Update(DEFINITIONS, crd, new, "status", strict=True))
    return plan


def _decide_deletion(crd: Object, instances: Sequence[Object], now: float) -> Plan:
    plan = Plan()
    finalizers = meta(crd).get("finalizers") or []
    if FINALIZER not in finalizers:
        return plan
    if not instances:
        rest = [name for name in finalizers if name != FINALIZER]
        metadata = {**meta(crd), "finalizers": rest}
        new = {**crd, "metadata": metadata}
        status = _terminating(crd, now, done=True)
        if status != status_of(crd) and rest:
            written = {**crd, "status": status}
            plan.update.append(Update(DEFINITIONS, crd, written, "status", strict=True))
        plan.update.append(Update(DEFINITIONS, crd, new, strict=False))
        return plan
    resource = resource_of(crd)
    for obj in instances:
        if not is_deleting(obj) and len(plan.delete) < BATCH:
            plan.delete.append(Deletion(resource, obj, "Background"))
    status = _terminating(crd, now, done=False)
    if status != status_of(crd):
        written = {**crd, "status": status}
        plan.update.append(Update(DEFINITIONS, crd, written, "status", strict=True))
    if len(plan.delete) == BATCH:
        plan.look_again(SOONEST)  # there are more to delete
        return plan
    waited = now - parse_time(meta(crd)["deletionTimestamp"])
    plan.look_again(min(LATEST, max(SOONEST, waited / 4)))
    return plan


def _terminating(crd: Object, now: float, *, done: bool) -> Object:
    status, reason, message = (
        "True",
        "InstanceDeletionInProgress",
        "CustomResource deletion is in progress",
    )
    if done:
        status, reason, message = "False", "InstanceDeletionCompleted", "removed all instances"
        if not is_condition_true(crd, "Established"):
            reason, message = "NeverEstablished", "resource was never established"
    conditions = set_condition(
        status_of(crd).get("conditions") or [],
        "Terminating",
        status,
        now=format_time(now),
        reason=reason,
        message=message,
    )
    return {**status_of(crd), "conditions": conditions}


def resource_of(crd: Object) -> str:
    """Return the store's name of a definition's objects, which is its own name."""
    name: str = meta(crd)["name"]
    return name
