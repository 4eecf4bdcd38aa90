"""What a bound pair looks like, written one object at a time so that a crash is made up for. Pure.

The volume is given first and the claim is told afterwards: only one claim can be in a volume's
claimRef, so whoever comes between them finds either nothing done or what is left to do.
Rules: ``bind`` of Kubernetes' persistent volume controller, ``GetBindVolumeToClaim``.
"""

from __future__ import annotations

from typing import Any

from orchestrator.controllers.plans import Emit, Plan, Update
from orchestrator.controllers.volumes.facts import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    CLAIMS,
    VOLUMES,
    attributes_class,
    is_meant_for,
    reference_of,
)
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
    with_meta,
    with_status,
)
from orchestrator.resources.timestamps import format_time


def given(volume: Object, claim: Object) -> Object:
    """Return a volume that is for a claim; the same one if it is already."""
    present = reference_of(volume)
    if present is not None and is_meant_for(volume, claim) and present.get("uid"):
        return volume
    reference = {
        "kind": "PersistentVolumeClaim",
        "namespace": namespace_of(claim),
        "name": name_of(claim),
        "uid": uid_of(claim),
        "apiVersion": "v1",
        "resourceVersion": meta(claim).get("resourceVersion", ""),
    }
    changed = {**volume, "spec": {**spec_of(volume), "claimRef": reference}}
    if present is not None:  # the user chose, and the volume stays that claim's afterwards
        return changed
    return with_meta(changed, annotations={**annotations_of(volume), BOUND_BY_CONTROLLER: "yes"})


def unbound(volume: Object) -> Object:
    """Return a volume whose claim has another one: free again, or waiting again for its user's."""
    annotations = annotations_of(volume)
    reference = reference_of(volume) or {}
    if BOUND_BY_CONTROLLER not in annotations:
        kept = {field: reference[field] for field in reference if field != "uid"}
        return {**volume, "spec": {**spec_of(volume), "claimRef": kept}}
    kept = {name: text for name, text in annotations.items() if name != BOUND_BY_CONTROLLER}
    spec = {field: value for field, value in spec_of(volume).items() if field != "claimRef"}
    return with_meta({**volume, "spec": spec}, annotations=kept or None)


def told(claim: Object, volume: str) -> Object:
    """Return a claim that names its volume and is done with; the same one if it is already."""
    annotations = annotations_of(claim)
    wanted = {**annotations, BIND_COMPLETED: annotations.get(BIND_COMPLETED, "yes")}
    spec = spec_of(claim)
    if spec.get("volumeName") != volume:
        wanted[BOUND_BY_CONTROLLER] = "yes"
        claim = {**claim, "spec": {**spec, "volumeName": volume}}
    return claim if wanted == annotations else with_meta(claim, annotations=wanted)


def in_phase(volume: Object, phase: str, now: float, message: str | None = None) -> Object:
    """Return a volume in a phase; the same one if it is in it."""
    if status_of(volume).get("phase") == phase:
        return volume
    return with_status(
        volume, phase=phase, message=message, lastPhaseTransitionTime=format_time(now)
    )


def without_volume(claim: Object, phase: str) -> Object:
    """Return a claim in a phase in which it has no volume; the same one if it is in it."""
    status = status_of(claim)
    if status.get("phase") == phase and not (status.get("accessModes") or status.get("capacity")):
        return claim
    return with_status(claim, phase=phase, accessModes=None, capacity=None)


def bound(claim: Object, volume: Object) -> Object:
    """Return a claim whose status shows its volume; the same one if it does.

    The capacity is taken over only when the claim becomes bound: afterwards who grows volumes says
    what a claim has.
    """
    status, spec = status_of(claim), spec_of(volume)
    changes: dict[str, Any] = {}
    if status.get("phase") != "Bound":
        changes = {"phase": "Bound", "capacity": spec.get("capacity")}
        if attributes_class(volume):
            changes["currentVolumeAttributesClassName"] = attributes_class(volume)
    if status.get("accessModes") != spec.get("accessModes"):
        changes["accessModes"] = spec.get("accessModes")
    return with_status(claim, **changes) if changes else claim


def bind(plan: Plan, volume: Object, claim: Object, now: float) -> None:
    """Add the next write towards a bound pair; nothing for one that is."""
    gift = given(volume, claim)
    if gift is not volume:
        plan.update.append(Update(VOLUMES, volume, gift, strict=True))
        return
    set_phase(plan, volume, "Bound", now)
    named = told(claim, name_of(volume))
    if named is not claim:
        plan.update.append(Update(CLAIMS, claim, named))
        return
    set_status(plan, claim, bound(claim, volume))


def set_phase(
    plan: Plan,
    volume: Object,
    phase: str,
    now: float,
    event: Emit | None = None,
    message: str | None = None,
) -> None:
    """Add a volume's phase, unless it is in it."""
    new = in_phase(volume, phase, now, message)
    if new is not volume:
        plan.update.append(Update(VOLUMES, volume, new, "status", event))


def set_status(plan: Plan, claim: Object, new: Object, event: Emit | None = None) -> None:
    """Add a claim's status, unless it is the present one."""
    if new is not claim:
        plan.update.append(Update(CLAIMS, claim, new, "status", event))
