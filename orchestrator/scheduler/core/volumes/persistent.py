"""PersistentVolumes as the scheduler reads them: once for each revision.

Source of the rules: ``CheckNodeAffinity`` and ``IsVolumeBoundToClaim`` in
k8s.io/component-helpers/storage/volume, ``getPVTopologies`` of the VolumeZone plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from orchestrator.resources.node_affinity import Term, selection_of
from orchestrator.resources.objects import annotations_of, is_deleting, labels_of, meta, name_of
from orchestrator.resources.quantities import parse
from orchestrator.scheduler.core.volumes.migration import Attachment, in_tree_attachment

CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
HOSTNAME: Final = "kubernetes.io/hostname"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"

_STABLE: Final = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
ZONE_LABELS: Final = (*_STABLE, *_STABLE.values())


class ClaimKey(NamedTuple):
    """Which PersistentVolumeClaim."""

    namespace: str
    name: str


class Affinity:
    """The nodes that a volume can be reached from: those that one of the terms selects.

    Volumes that say the same share one, see `Places`, so that it is compared by identity.

    Attributes:
        terms: As node affinity has them.
        locality: A label, and the values of it that nodes must have one of; None where the terms
            cannot be put that way.
    """

    __slots__ = ("__weakref__", "_values", "locality", "terms")

    def __init__(self, terms: tuple[Term, ...]) -> None:
        self.terms = terms
        self.locality: tuple[str, frozenset[str]] | None = None
        if len(terms) == 1:
            for expression in terms[0].expressions:
                if expression.operator == "In":
                    self.locality = expression.key, expression.values
                    break
        whole = self.locality is not None and len(terms[0].expressions) == 1
        self._values = self.locality if whole and not terms[0].fields else None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the volume can be reached from a node with these labels.

        Terms that name nodes by a field match none: upstream has only the labels at hand.
        """
        if self._values is not None:
            return labels.get(self._values[0]) in self._values[1]
        return any(term.matches("", labels) for term in self.terms)


class Zone(NamedTuple):
    """A label that a node must have, if it has any label of a zone or region.

    Attributes:
        key: A label of a zone or region, perhaps the one of old.
        values: It must have one of these.
    """

    key: str
    values: frozenset[str]

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a node's labels agree; a new label does for an old one."""
        value = labels.get(self.key)
        if value is None:
            value = labels.get(_STABLE.get(self.key, self.key))
        return value is not None and value in self.values


class Zones:
    """What the zone labels of a volume demand; shared and compared as `Affinity` is."""

    __slots__ = ("__weakref__", "all")

    def __init__(self, zones: tuple[Zone, ...]) -> None:
        self.all = zones

    def admit(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a node's labels agree; a node without any such label always does."""
        return all(zone.admits(labels) for zone in self.all) or labels.keys().isdisjoint(
            ZONE_LABELS
        )


class Places:
    """Keeps one object for all volumes that can be reached from the same nodes."""

    def __init__(self) -> None:
        self._affinities: WeakValueDictionary[Any, Affinity] = WeakValueDictionary()
        self._zones: WeakValueDictionary[Any, Zones] = WeakValueDictionary()

    def affinity(self, terms: tuple[Term, ...]) -> Affinity:
        """Return the affinity of these terms."""
        found = self._affinities.get(terms)
        if found is None:
            found = self._affinities[terms] = Affinity(terms)
        return found

    def zones(self, labels: Mapping[str, str]) -> Zones | None:
        """Return what a volume's labels demand; None for nothing."""
        if labels.keys().isdisjoint(ZONE_LABELS):
            return None
        found = ((key, zones_of_label(labels[key])) for key in ZONE_LABELS if key in labels)
        zones = tuple(Zone(key, values) for key, values in found if values)
        if not zones:
            return None
        known = self._zones.get(zones)
        if known is None:
            known = self._zones[zones] = Zones(zones)
        return known


class Reference(NamedTuple):
    """Whom a volume says it is for; without a uid, for whoever has the name."""

    claim: ClaimKey
    uid: str


class Volume(NamedTuple):
    """A PersistentVolume.

    Attributes:
        name: Its name.
        attachment: What it takes of a node's limit; None for what is not attached by a driver.
        affinity: Where it can be reached from; None for anywhere.
        zones: What its labels say; None for nothing.
        storage_class: The name of its StorageClass; empty for none.
        capacity: In units of 10^-9 bytes.
        modes: Access modes.
        mode: ``Filesystem`` or ``Block``.
        attributes_class: The name of its VolumeAttributesClass; empty for none.
        labels: For the selectors of claims.
        reference: Whom it is for, if it says so.
        available: Its phase is Available, and nobody asked for its deletion.
        deleting: Its deletion has been asked for.
    """

    name: str
    attachment: Attachment | None
    affinity: Affinity | None
    zones: Zones | None
    storage_class: str
    capacity: int
    modes: frozenset[str]
    mode: str
    attributes_class: str
    labels: Mapping[str, str]
    reference: Reference | None
    available: bool
    deleting: bool


def volume_of(obj: Mapping[str, Any], places: Places) -> Volume:
    """Read a PersistentVolume, sharing what it says of places."""
    spec = obj.get("spec") or {}
    csi = spec.get("csi")
    if csi:
        attachment: Attachment | None = Attachment(
            csi.get("driver") or "", csi.get("volumeHandle") or ""
        )
        if not all(attachment or ()):
            attachment = None
    else:
        attachment = in_tree_attachment(spec)
    required = (spec.get("nodeAffinity") or {}).get("required")
    reference = spec.get("claimRef")
    labels = labels_of(obj)
    deleting = is_deleting(obj)
    return Volume(
        name=name_of(obj),
        attachment=attachment,
        affinity=None if required is None else places.affinity(_terms(required)),
        zones=places.zones(labels) if labels else None,
        storage_class=storage_class_of(obj),
        capacity=_size(spec.get("capacity")),
        modes=frozenset(spec.get("accessModes") or ()),
        mode=spec.get("volumeMode") or "Filesystem",
        attributes_class=spec.get("volumeAttributesClassName") or "",
        labels=labels,
        reference=None if not reference else _reference(reference),
        available=not deleting and (obj.get("status") or {}).get("phase") == "Available",
        deleting=deleting,
    )


def storage_class_of(obj: Mapping[str, Any]) -> str:
    """Return the class that a volume or a claim names, the old way first; empty for none."""
    if meta(obj).get("annotations"):
        old = annotations_of(obj).get(CLASS_ANNOTATION)
        if old is not None:
            return old
    return (obj.get("spec") or {}).get("storageClassName") or ""


def zones_of_label(text: str) -> frozenset[str]:
    """Read the value of a zone label: several are separated by ``__``; empty for a wrong one."""
    zones = [zone.strip() for zone in text.split("__")]
    return frozenset(zones) if all(zones) else frozenset()


def _terms(required: Mapping[str, Any]) -> tuple[Term, ...]:
    return selection_of({"affinity": {"nodeAffinity": {_REQUIRED: required}}}).terms or ()


def _reference(form: Mapping[str, Any]) -> Reference:
    claim = ClaimKey(form.get("namespace") or "", form.get("name") or "")
    return Reference(claim, form.get("uid") or "")


def _size(amounts: Mapping[str, Any] | None) -> int:
    return parse((amounts or {}).get("storage") or "0").nano
