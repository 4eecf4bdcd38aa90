"""What claims can be given: volumes that are free, and volumes that can be made.

A choice that was made but not written yet is *reserved*: nobody else is given the same volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.resources.objects import name_of
from orchestrator.scheduler.core.volumes.claims import Wanted
from orchestrator.scheduler.core.volumes.migration import Attachment
from orchestrator.scheduler.core.volumes.persistent import (
    HOSTNAME,
    ClaimKey,
    Places,
    Reference,
    Volume,
    volume_of,
)
from orchestrator.scheduler.core.volumes.provisioning import (
    Capacities,
    StorageClass,
    capacity_of,
    storage_class,
)
from orchestrator.scheduler.core.volumes.shelves import Shelf, fits


class Supply:
    """PersistentVolumes, StorageClasses and capacities, and what of them is spoken for.

    Attributes:
        volumes: PersistentVolumes by name.
        classes: StorageClasses by name.
        tracked: CSI drivers that tell how much room they have.
        capacities: What they told, by class.
        handles: The volumes that are attached under one handle: more than one is unusual.
        reserved: Volumes that were chosen for a claim, and that does not show yet.
        provisioning: Claims to be provisioned for a node, which does not show yet.
    """

    def __init__(self) -> None:
        self.volumes: dict[str, Volume] = {}
        self.classes: dict[str, StorageClass] = {}
        self.tracked: set[str] = set()
        self.capacities: dict[str, Capacities] = {}
        self.handles: dict[Attachment, tuple[str, ...]] = {}
        self.reserved: dict[str, ClaimKey] = {}
        self.provisioning: dict[ClaimKey, str] = {}
        self._places = Places()
        self._shelves: dict[str, Shelf] = {}
        self._meant: dict[ClaimKey, tuple[str, ...]] = {}
        self._chosen: dict[ClaimKey, str] = {}  # the reserved ones, by claim
        self._holders: dict[str | ClaimKey, int] = {}  # pods that may share what is spoken for
        self._capacity_classes: dict[tuple[str, str], str] = {}
        self._limits: dict[tuple[str, str], int] = {}
        self._revisions: dict[str, int] = {}
        self._twin_revisions: dict[str, int] = {}

    def revision(self, name: str, claims: int = 1) -> int:
        """Return a number that grows when a class can give more or less, other than on one node.

        A volume of one node that is reserved changes what that node can give, and a pod is
        about to be placed there, or has just left; that node is looked at again anyway. One that
        has a twin is not missed by a pod that wants one volume; by one that wants several it may
        be.

        Args:
            name: The class.
            claims: How many volumes of the class somebody wants.
        """
        number = self._revisions.get(name, 0)
        return number if claims == 1 else number + self._twin_revisions.get(name, 0)

    def touch(self, name: str) -> None:
        """Note that a class can give more or less."""
        self._revisions[name] = self._revisions.get(name, 0) + 1

    def _touch_around(self, volume: Volume) -> None:
        """Note that a volume has come to the shelf, or left it."""
        locality = None if volume.affinity is None else volume.affinity.locality
        if locality is not None and locality[0] == HOSTNAME and len(locality[1]) == 1:
            return
        name = volume.storage_class
        shelf = self._shelves.get(name)
        if shelf is not None and shelf.has_twin(volume):
            self._twin_revisions[name] = self._twin_revisions.get(name, 0) + 1
        else:
            self.touch(name)

    # ---- what there is

    def put_volume(self, obj: Mapping[str, Any]) -> tuple[Volume | None, Volume]:
        """Take over a PersistentVolume; return what it was and what it is."""
        volume = volume_of(obj, self._places)
        known = self.volumes.get(volume.name)
        if known == volume:
            return known, volume
        quiet = known is not None and self._is_spoken_for(known, volume)
        if known is not None:
            self._drop(known)
        self.volumes[volume.name] = volume
        if volume.attachment is not None:
            present = self.handles.get(volume.attachment, ())
            self.handles[volume.attachment] = (*present, volume.name)
        if volume.reference is not None:
            claim = volume.reference.claim
            self._meant[claim] = tuple(sorted((*self._meant.get(claim, ()), volume.name)))
            if self.reserved.get(volume.name) == claim:  # what was reserved shows now
                self._unreserve(volume.name)
        self._shelve(volume)
        if not quiet:
            self.touch(volume.storage_class)
            if known is not None and known.storage_class != volume.storage_class:
                self.touch(known.storage_class)
        return known, volume

    def _is_spoken_for(self, known: Volume, volume: Volume) -> bool:
        """Tell whether a volume was and is the same claim's, and is what it was otherwise."""
        if volume.reference is None or (
            known._replace(reference=volume.reference, available=volume.available) != volume
        ):
            return False
        if known.reference is not None:
            return known.reference == volume.reference
        return self.reserved.get(known.name) == volume.reference.claim

    def remove_volume(self, name: str) -> Volume | None:
        """Forget a PersistentVolume; return what it was."""
        known = self.volumes.get(name)
        if known is not None:
            self._drop(known)
            self.touch(known.storage_class)
        return known

    def _drop(self, volume: Volume) -> None:
        del self.volumes[volume.name]
        if self._is_free(volume):
            self._shelves[volume.storage_class].remove(volume)
        if volume.attachment is not None:
            _without(self.handles, volume.attachment, volume.name)
        if volume.reference is not None:
            _without(self._meant, volume.reference.claim, volume.name)

    def put_class(self, obj: Mapping[str, Any]) -> StorageClass:
        """Take over a StorageClass."""
        found = self.classes[name_of(obj)] = storage_class(obj)
        self.touch(found.name)
        return found

    def remove_class(self, name: str) -> None:
        """Forget a StorageClass."""
        self.classes.pop(name, None)
        self.touch(name)

    def track(self, driver: str, *, tracked: bool) -> list[str]:
        """Note whether a driver tells how much room it has; return the classes that it changes."""
        if tracked == (driver in self.tracked):
            return []
        (self.tracked.add if tracked else self.tracked.discard)(driver)
        names = [found.name for found in self.classes.values() if found.provisioner == driver]
        for name in names:
            self.touch(name)
        return names

    def put_capacity(self, obj: Mapping[str, Any]) -> str | None:
        """Take over a CSIStorageCapacity; return its class, if larger volumes can be made now."""
        capacity = capacity_of(obj)
        before = self._limits.get(capacity.key, -1)
        self.remove_capacity(capacity.key)
        self._capacity_classes[capacity.key] = capacity.storage_class
        self._limits[capacity.key] = capacity.limit
        self.capacities.setdefault(capacity.storage_class, Capacities()).put(capacity)
        self.touch(capacity.storage_class)
        return capacity.storage_class if capacity.limit > before else None

    def remove_capacity(self, key: tuple[str, str]) -> None:
        """Forget a CSIStorageCapacity."""
        self._limits.pop(key, None)
        name = self._capacity_classes.pop(key, None)
        if name is None:
            return
        self.capacities[name].remove(key)
        if not self.capacities[name]:
            del self.capacities[name]
        self.touch(name)

    # ---- whom it can be given to

    def is_meant(self, claim: ClaimKey) -> bool:
        """Tell whether some volume says that it is for the claim."""
        return claim in self._meant

    def node_of(self, wanted: Wanted) -> str:
        """Return the node that a claim is to be provisioned for; empty while that is open."""
        if wanted.node or wanted.claim is None:
            return wanted.node
        return self.provisioning.get(wanted.claim.claim, "")

    def find(self, wanted: Wanted, labels: Mapping[str, str], taken: set[str]) -> Volume | None:
        """Find the volume to give to a claim on a node with these labels.

        One that is meant for the claim comes first; if it cannot be reached from the node, then
        no other is looked for.
        """
        if wanted.claim is not None:
            for name in self._names_for(wanted.claim):
                volume = self.volumes.get(name)
                if (
                    volume is None
                    or name in taken
                    or volume.deleting
                    or volume.storage_class != wanted.storage_class
                    or not fits(volume, wanted)
                ):
                    continue
                reachable = volume.affinity is None or volume.affinity.matches(labels)
                return volume if reachable else None
        shelf = self._shelves.get(wanted.storage_class)
        return shelf.find(wanted, labels, taken) if shelf else None

    def _names_for(self, whom: Reference) -> list[str]:
        chosen = self._chosen.get(whom.claim)
        names = [] if chosen is None else [chosen]
        for name in self._meant.get(whom.claim, ()):
            reference = self.volumes[name].reference
            if reference is not None and reference.uid in {"", whom.uid}:
                names.append(name)
        return names

    # ---- what is spoken for

    def reserve(self, name: str, claim: ClaimKey) -> None:
        """Keep a volume for a claim, once more for each pod that uses the claim."""
        volume = self.volumes[name]
        if self._is_free(volume):
            self._shelves[volume.storage_class].remove(volume)
        self.reserved[name] = claim
        self._chosen[claim] = name
        self._holders[name] = self._holders.get(name, 0) + 1
        self._touch_around(volume)

    def release(self, name: str, claim: ClaimKey) -> Volume | None:
        """Give back what was reserved as often as it was, unless it shows already.

        Returns:
            The volume, if it is free now.
        """
        if self.reserved.get(name) != claim or not self._let_go(name):
            return None
        self._unreserve(name)
        volume = self.volumes.get(name)
        if volume is not None:
            self._touch_around(volume)
            self._shelve(volume)
        return volume

    def _unreserve(self, name: str) -> None:
        claim = self.reserved.pop(name)
        self._holders.pop(name, None)
        if self._chosen.get(claim) == name:
            del self._chosen[claim]

    def provision(self, claim: ClaimKey, node: str) -> None:
        """Keep a node for a claim, once more for each pod that uses the claim."""
        self.provisioning[claim] = node
        self._holders[claim] = self._holders.get(claim, 0) + 1

    def unprovision(self, claim: ClaimKey, node: str, *, shows: bool = False) -> bool:
        """Leave the node open again, or note that it shows; tell whether it was ours to do."""
        if self.provisioning.get(claim) != node or not (shows or self._let_go(claim)):
            return False
        del self.provisioning[claim]
        self._holders.pop(claim, None)
        return True

    def _let_go(self, what: str | ClaimKey) -> bool:
        """Uncount one holder; tell whether none is left."""
        left = self._holders.get(what, 0) - 1
        if left > 0:
            self._holders[what] = left
            return False
        self._holders.pop(what, None)
        return True

    def _is_free(self, volume: Volume) -> bool:
        return volume.available and volume.reference is None and volume.name not in self.reserved

    def _shelve(self, volume: Volume) -> None:
        if self._is_free(volume):
            self._shelves.setdefault(volume.storage_class, Shelf()).add(volume)


def _without(index: dict[Any, tuple[str, ...]], key: Any, name: str) -> None:
    """Take a name out of an index."""
    rest = tuple(other for other in index[key] if other != name)
    if rest:
        index[key] = rest
    else:
        del index[key]
