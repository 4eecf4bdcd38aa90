"""What to do about one claim. Pure.

`orchestrator.controllers.volumes.actor` applies the plans. Rules and texts: ``syncClaim`` of
Kubernetes' persistent volume controller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from orchestrator.controllers.plans import Emit, Plan, Update
from orchestrator.controllers.volumes.binding import bind, set_status, without_volume
from orchestrator.controllers.volumes.facts import (
    BETA_PROVISIONER,
    BOUND_BY_CONTROLLER,
    CLAIMS,
    CLASSES,
    PROVISIONER,
    SELECTED_NODE,
    asks_for_default,
    class_of,
    is_meant_for,
    is_unbound,
    reference_of,
    requested,
    waits_for_consumer,
)
from orchestrator.controllers.volumes.matching import why_not
from orchestrator.records import dataclass
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    spec_of,
    status_of,
    uid_of,
    with_meta,
)
from orchestrator.resources.quantities import compare

WAIT_FOR_CONSUMER: Final = "WaitForFirstConsumer"
WAIT_FOR_POD: Final = "WaitForPodScheduled"
_IN_TREE: Final = "kubernetes.io/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a claim's fate depends on.

    Attributes:
        volume: Finds a volume by its name.
        choose: Finds the volume that the claim should get; whether the scheduler chooses is said.
        storage_class: The claim's class; None where it names none, or none that is there.
        default_class: The name of the default class; None where there is none.
        consumers: Names of the pods that use the claim and have no node yet.
        seat: The node of a pod that uses the claim and has one already, empty without such a pod.
    """

    volume: Callable[[str], Object | None]
    choose: Callable[[Object, bool], Object | None]
    storage_class: Object | None
    default_class: str | None
    consumers: Callable[[], Sequence[str]]
    seat: Callable[[], str] = str


def decide_claim(claim: Object, around: Around, now: float) -> Plan:
    """Return the next step towards a claim that is bound, or says why it is not.

    Args:
        claim: As committed.
        around: What there is for it.
        now: Wall seconds.
    """
    plan = Plan()
    if not is_unbound(claim):
        _keep(plan, claim, around, now)
    elif spec_of(claim).get("volumeName"):
        _take_named(plan, claim, around, now)
    else:
        _look_for_volume(plan, claim, around, now)
    return plan


def _keep(plan: Plan, claim: Object, around: Around, now: float) -> None:
    """Look after a claim that was bound once: for good, or it has lost its data."""
    name = spec_of(claim).get("volumeName")
    volume = around.volume(name) if name else None
    if volume is None:
        what = "its PersistentVolume" if name else "reference to PersistentVolume"
        _lose(plan, claim, "ClaimLost", f"Bound claim has lost {what}. Data on the volume is lost!")
        return
    reference = reference_of(volume)
    if reference is None or reference.get("uid") == uid_of(claim):
        bind(plan, volume, claim, now)
        _mention_growth(plan, claim)
        return
    _lose(
        plan,
        claim,
        "ClaimMisbound",
        "Two claims are bound to the same volume, this one is bound incorrectly",
    )


def _lose(plan: Plan, claim: Object, reason: str, message: str) -> None:
    event = Emit(claim, "Warning", reason, message)
    set_status(plan, claim, without_volume(claim, "Lost"), event)


def _mention_growth(plan: Plan, claim: Object) -> None:
    """Say that a claim which asks for more waits for who grows its volume."""
    present = (status_of(claim).get("capacity") or {}).get("storage")
    if present is not None and compare(requested(claim), present) > 0:
        message = "waiting for an external controller to expand this PVC"
        plan.events.append(Emit(claim, "Warning", "ExternalExpanding", message))


def _take_named(plan: Plan, claim: Object, around: Around, now: float) -> None:
    """Bind a claim to the volume it names, if that is not somebody else's."""
    name = spec_of(claim)["volumeName"]
    volume = around.volume(name)
    if volume is not None:
        if is_meant_for(volume, claim):
            bind(plan, volume, claim, now)
            return
        if reference_of(volume) is None:
            wrong = why_not(volume, claim)
            if wrong is None:
                bind(plan, volume, claim, now)
                return
            message = f'Cannot bind to requested volume "{name}": {wrong}'
            plan.events.append(Emit(claim, "Warning", "VolumeMismatch", message))
        elif BOUND_BY_CONTROLLER not in annotations_of(claim):
            message = f'volume "{name}" already bound to a different claim.'
            plan.events.append(Emit(claim, "Warning", "FailedBinding", message))
    set_status(plan, claim, without_volume(claim, "Pending"))


def _look_for_volume(plan: Plan, claim: Object, around: Around, now: float) -> None:
    delayed = waits_for_consumer(around.storage_class)
    volume = around.choose(claim, delayed)
    if volume is not None:
        bind(plan, volume, claim, now)
        return
    if not is_deleting(claim):
        if asks_for_default(claim) and around.default_class is not None:
            spec = {**spec_of(claim), "storageClassName": around.default_class}
            plan.update.append(Update(CLAIMS, claim, {**claim, "spec": spec}))
            return
        if delayed and not annotations_of(claim).get(SELECTED_NODE):
            if node := around.seat():
                # A claim that was deleted as its pod got a node, and made anew: no scheduler will
                # come by again. (Upstream's pod waits for ever.)
                plan.update.append(Update(CLAIMS, claim, _selecting(claim, node)))
                return
            plan.events.append(_waiting(claim, around.consumers()))
        elif class_of(claim):
            _have_it_made(plan, claim, around)
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            plan.events.append(Emit(claim, "Normal", "FailedBinding", message))
    if status_of(claim).get("phase") != "Pending":
        set_status(plan, claim, without_volume(claim, "Pending"))


def _selecting(claim: Object, node: str) -> Object:
    annotations = {**annotations_of(claim), SELECTED_NODE: node}
    return {**claim, "metadata": {**claim["metadata"], "annotations": annotations}}


def _waiting(claim: Object, pods: Sequence[str]) -> Emit:
    if not pods:
        message = "waiting for first consumer to be created before binding"
        return Emit(claim, "Normal", WAIT_FOR_CONSUMER, message)
    several = "s" if len(pods) > 1 else ""
    message = f"waiting for pod{several} {','.join(pods)} to be scheduled"
    return Emit(claim, "Normal", WAIT_FOR_POD, message)


def _have_it_made(plan: Plan, claim: Object, around: Around) -> None:
    """Tell a provisioner that a claim is its task; the volume that it makes is bound later."""
    found = around.storage_class
    if found is None:
        message = f'{_singular(CLASSES)} "{class_of(claim)}" not found'
        plan.events.append(Emit(claim, "Warning", "ProvisioningFailed", message))
        return
    provisioner = found.get("provisioner") or ""
    if provisioner.startswith(_IN_TREE):
        message = f"no volume plugin matched name: {provisioner}"
        plan.events.append(Emit(claim, "Warning", "ProvisioningFailed", message))
        return
    annotations = annotations_of(claim)
    wanted = {**annotations, BETA_PROVISIONER: provisioner, PROVISIONER: provisioner}
    if wanted != annotations:
        plan.update.append(Update(CLAIMS, claim, with_meta(claim, annotations=wanted)))
    message = (
        "Waiting for a volume to be created either by the external provisioner "
        f"'{provisioner}' or manually by the system administrator. If volume creation is "
        "delayed, please verify that the provisioner is running and correctly registered."
    )
    plan.events.append(Emit(claim, "Normal", "ExternalProvisioning", message))


def _singular(resource: str) -> str:
    plural, _, group = resource.partition(".")
    return f"{plural.removesuffix('es')}.{group}"
