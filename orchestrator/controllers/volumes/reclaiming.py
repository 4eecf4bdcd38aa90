"""What to do about one volume: its phase, and what becomes of it when its claim is gone. Pure.

`orchestrator.controllers.volumes.actor` applies the plans. Rules and texts: ``syncVolume`` and
``reclaimVolume`` of Kubernetes' persistent volume controller.
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestrator.controllers.plans import Emit, Plan, Update
from orchestrator.controllers.volumes.binding import set_phase, unbound
from orchestrator.controllers.volumes.facts import (
    PROVISIONED_BY,
    VOLUMES,
    ClaimKey,
    reference_of,
    referenced,
    volume_mode,
)
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    name_of,
    spec_of,
    status_of,
    uid_of,
)

_OVER: Final = frozenset({"Released", "Failed"})


def decide_volume(
    volume: Object, claim_of: Callable[[ClaimKey], Object | None], now: float
) -> Plan:
    """Return what a volume's phase should be, and the reclaiming of one that nobody has any more.

    Args:
        volume: As committed.
        claim_of: Finds a claim.
        now: Wall seconds.
    """
    plan = Plan()
    reference, key = reference_of(volume), referenced(volume)
    if reference is None or key is None or not reference.get("uid"):
        set_phase(plan, volume, "Available", now)
        return plan
    claim = claim_of(key)
    if claim is None or uid_of(claim) != reference["uid"]:
        _reclaim(plan, volume, now)
        return plan
    name = spec_of(claim).get("volumeName")
    if name == name_of(volume):
        set_phase(plan, volume, "Bound", now)
    elif not name:
        _mention_modes(plan, volume, claim)
    elif _policy(volume) == "Delete" and PROVISIONED_BY in annotations_of(volume):
        _reclaim(plan, volume, now)  # made for a claim that got another one meanwhile
    else:
        plan.update.append(Update(VOLUMES, volume, unbound(volume), strict=True))
    return plan


def _policy(volume: Object) -> str:
    return spec_of(volume).get("persistentVolumeReclaimPolicy") or "Retain"


def _reclaim(plan: Plan, volume: Object, now: float) -> None:
    """Release a volume, and fail it where nobody could do what its policy says."""
    phase = status_of(volume).get("phase")
    if phase not in _OVER:
        set_phase(plan, volume, "Released", now)
        return
    policy = _policy(volume)
    if phase == "Failed" or policy == "Retain":
        return
    if policy == "Recycle":
        _fail(plan, volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!", now)
    elif PROVISIONED_BY not in annotations_of(volume):
        # Nobody made it, so nobody knows how to delete it: users' directories are left alone.
        message = (
            f'error getting deleter volume plugin for volume "{name_of(volume)}": '
            "no deletable volume plugin matched"
        )
        _fail(plan, volume, "VolumeFailedDelete", message, now)


def _fail(plan: Plan, volume: Object, reason: str, message: str, now: float) -> None:
    event = Emit(volume, "Warning", reason, message)
    set_phase(plan, volume, "Failed", now, event, message)


def _mention_modes(plan: Plan, volume: Object, claim: Object) -> None:
    """Say on both sides that a volume which is meant for a claim can't be its."""
    if volume_mode(volume) == volume_mode(claim):
        return
    why = "due to incompatible volumeMode."
    for involved, text in (
        (
            volume,
            f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{name_of(claim)}"',
        ),
        (
            claim,
            f'Cannot bind PersistentVolume "{name_of(volume)}" to requested PersistentVolumeClaim',
        ),
    ):
        plan.events.append(Emit(involved, "Warning", "VolumeMismatch", f"{text} {why}"))
