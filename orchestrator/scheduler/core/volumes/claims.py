"""PersistentVolumeClaims as the scheduler reads them: once for each revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from orchestrator.resources.objects import (
    annotations_of,
    is_deleting,
    name_of,
    namespace_of,
    uid_of,
)
from orchestrator.resources.quantities import parse
from orchestrator.resources.selectors import NOTHING, LabelSelector, SelectorError, label_selector
from orchestrator.scheduler.core.volumes.persistent import (
    ClaimKey,
    Reference,
    storage_class_of,
)

BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER: Final = "pv.kubernetes.io/bound-by-controller"
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"


class Wanted(NamedTuple):
    """What an unbound claim asks for; claims that ask for the same are equal.

    Attributes:
        size: In units of 10^-9 bytes; None where it asks for none.
        storage_class: The name of the StorageClass.
        modes: Access modes that the volume must have.
        mode: ``Filesystem`` or ``Block``.
        attributes_class: The name of the VolumeAttributesClass; empty for none.
        selector: Of the volumes' labels; None for any.
        node: The only node where it can be provisioned: asked for already. Empty for none.
        claim: Which claim it is, where that matters: some volume is meant for it, or other pods
            use it too. Else None.
    """

    size: int | None
    storage_class: str
    modes: frozenset[str]
    mode: str
    attributes_class: str
    selector: LabelSelector | None
    node: str
    claim: Reference | None


class Claim(NamedTuple):
    """A PersistentVolumeClaim.

    Attributes:
        key: Which.
        uid: Its identity.
        wanted: What it asks for.
        exclusive: One pod in the whole cluster may use it (ReadWriteOncePod).
        volume: The name of its PersistentVolume; empty for none.
        bound: The binding is complete: both sides say so.
        lost: Its volume is gone.
        deleting: Its deletion has been asked for.
        owner: The uid of the controller that made it, such as the pod of an ephemeral volume.
    """

    key: ClaimKey
    uid: str
    wanted: Wanted
    exclusive: bool
    volume: str
    bound: bool
    lost: bool
    deleting: bool
    owner: str


def claim_of(obj: Mapping[str, Any]) -> Claim:
    """Read a PersistentVolumeClaim."""
    spec = obj.get("spec") or {}
    annotations = annotations_of(obj)
    modes = frozenset(spec.get("accessModes") or ())
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    volume = spec.get("volumeName") or ""
    owners = obj["metadata"].get("ownerReferences") or ()
    return Claim(
        key=ClaimKey(namespace_of(obj), name_of(obj)),
        uid=uid_of(obj),
        wanted=Wanted(
            size=None if size is None else parse(size).nano,
            storage_class=storage_class_of(obj),
            modes=modes,
            mode=spec.get("volumeMode") or "Filesystem",
            attributes_class=spec.get("volumeAttributesClassName") or "",
            selector=_selector(spec.get("selector")),
            node=annotations.get(SELECTED_NODE) or "",
            claim=None,
        ),
        exclusive="ReadWriteOncePod" in modes,
        volume=volume,
        bound=bool(volume) and BIND_COMPLETED in annotations,
        lost=(obj.get("status") or {}).get("phase") == "Lost",
        deleting=is_deleting(obj),
        owner=next((owner.get("uid") or "" for owner in owners if owner.get("controller")), ""),
    )


def _selector(form: Mapping[str, Any] | None) -> LabelSelector | None:
    if form is None:
        return None
    try:
        return label_selector(form)
    except SelectorError:  # validation lets none through
        return NOTHING
