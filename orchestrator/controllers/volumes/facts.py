"""What claims and volumes say, read one way by everyone here. Pure.

Rules: k8s.io/component-helpers/storage/volume and pkg/controller/volume/persistentvolume.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from orchestrator.resources.objects import (
    Object,
    annotations_of,
    name_of,
    namespace_of,
    spec_of,
    uid_of,
)
from orchestrator.resources.quantities import parse

CLAIMS: Final = "persistentvolumeclaims"
VOLUMES: Final = "persistentvolumes"
CLASSES: Final = "storageclasses.storage.k8s.io"

CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER: Final = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
PROVISIONER: Final = "volume.kubernetes.io/storage-provisioner"
BETA_PROVISIONER: Final = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
_DEFAULTS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


class ClaimKey(NamedTuple):
    """Which claim."""

    namespace: str
    name: str


def key_of(claim: Object) -> ClaimKey:
    """Return which claim an object is."""
    return ClaimKey(namespace_of(claim), name_of(claim))


def class_of(obj: Mapping[str, Any]) -> str:
    """Return the class that a claim or a volume names, the old way first; empty for none."""
    old = annotations_of(obj).get(CLASS_ANNOTATION)
    return old if old is not None else spec_of(obj).get("storageClassName") or ""


def asks_for_default(claim: Object) -> bool:
    """Tell whether a claim leaves its class open; one of an empty name asks for none."""
    return spec_of(claim).get(
        "storageClassName"
    ) is None and CLASS_ANNOTATION not in annotations_of(claim)


def is_default(storage_class: Object) -> bool:
    """Tell whether a class is (one of) the default."""
    annotations = annotations_of(storage_class)
    return any(annotations.get(mark) == "true" for mark in _DEFAULTS)


def waits_for_consumer(storage_class: Object | None) -> bool:
    """Tell whether claims of a class are bound only when a pod that uses them is scheduled."""
    found = storage_class or {}
    return found.get("volumeBindingMode") == "WaitForFirstConsumer"


def volume_mode(obj: Object) -> str:
    """Return ``Filesystem`` or ``Block``."""
    return spec_of(obj).get("volumeMode") or "Filesystem"


def modes_of(obj: Object) -> frozenset[str]:
    """Return the access modes of a volume, or those a claim asks for."""
    return frozenset(spec_of(obj).get("accessModes") or ())


def requested(claim: Object) -> str:
    """Return how much a claim asks for; ``0`` for anything."""
    requests = (spec_of(claim).get("resources") or {}).get("requests") or {}
    return str(requests.get("storage", "0"))


def capacity_of(volume: Object) -> str:
    """Return how large a volume is."""
    return str((spec_of(volume).get("capacity") or {}).get("storage", "0"))


def size_of(volume: Object) -> int:
    """Return how large a volume is, in units of 10^-9 bytes."""
    return parse(capacity_of(volume)).nano


def attributes_class(obj: Object) -> str:
    """Return the VolumeAttributesClass that a claim or a volume names; empty for none."""
    return spec_of(obj).get("volumeAttributesClassName") or ""


def reference_of(volume: Object) -> dict[str, Any] | None:
    """Return whom a volume is for, or None."""
    found: dict[str, Any] | None = spec_of(volume).get("claimRef")
    return found or None


def referenced(volume: Object) -> ClaimKey | None:
    """Return which claim a volume is for, by name; None for anybody."""
    found = reference_of(volume)
    if found is None:
        return None
    return ClaimKey(found.get("namespace") or "", found.get("name") or "")


def is_meant_for(volume: Object, claim: Object) -> bool:
    """Tell whether a volume says that it is for a claim: by name, and by uid if it has one."""
    found = reference_of(volume)
    if found is None or referenced(volume) != key_of(claim):
        return False
    return found.get("uid") in {None, "", uid_of(claim)}


def is_unbound(claim: Object) -> bool:
    """Tell whether a claim has never been bound completely."""
    return BIND_COMPLETED not in annotations_of(claim)
