"""What a claim means for the pods that use it, as the storage objects are now.

Sources: ``podHasPVCs`` and ``GetPodVolumeClaims`` of VolumeBinding, ``getCSIDriverInfo`` of
NodeVolumeLimits, ``getPVbyPod`` of VolumeZone.
"""

from __future__ import annotations

from typing import Final

from orchestrator.scheduler.core.volumes.claims import Claim, Wanted
from orchestrator.scheduler.core.volumes.migration import Attachment
from orchestrator.scheduler.core.volumes.persistent import Affinity, Reference, Zones
from orchestrator.scheduler.core.volumes.supply import Supply

UNBOUND: Final = "pod has unbound immediate PersistentVolumeClaims"


class ClaimFacts:
    """What follows from a claim.

    Attributes:
        claim: The claim.
        problem: Why no pod can use it; None if one can.
        zone_problem: The same, as VolumeZone says it.
        immediate: It should have been bound before any pod uses it, and is not.
        wanted: What it asks for while it waits for its first pod; else None.
        meant: Some volume says that it is for this claim.
        attachment: What it takes of a node's limit; None for nothing.
        alone: No other volume has the handle of its attachment.
        bound: It is bound, to a volume that may be missing.
        affinity: Where its volume can be reached from; None for anywhere.
        missing: It is bound to a volume that is not there.
        zones: What the labels of its volume say; None for nothing.
    """

    __slots__ = (
        "affinity", "alone", "attachment", "bound", "claim", "immediate", "meant", "missing",
        "problem", "wanted", "zone_problem", "zones",
    )  # fmt: skip

    def __init__(self, claim: Claim, supply: Supply) -> None:
        self.claim = claim
        self.problem = _problem(claim)
        self.zone_problem: str | None = None
        self.wanted: Wanted | None = None
        self.meant = False
        self.affinity: Affinity | None = None
        self.zones: Zones | None = None
        volume = supply.volumes.get(claim.volume) if claim.volume else None
        self.bound = claim.bound
        self.missing = claim.bound and volume is None
        storage_class = supply.classes.get(claim.wanted.storage_class)
        delayed = not claim.volume and storage_class is not None and storage_class.delays
        self.immediate = not claim.bound and not delayed
        if volume is not None:
            self.zones = volume.zones
            if claim.bound:
                self.affinity = volume.affinity
        elif claim.volume:
            self.zone_problem = f'persistentvolume "{claim.volume}" not found'
        elif delayed:
            self.wanted = claim.wanted
            self.meant = supply.is_meant(claim.key)
        elif not claim.wanted.storage_class:
            self.zone_problem = "PersistentVolumeClaim had no pv name and storageClass name"
        elif storage_class is None:
            name = claim.wanted.storage_class
            self.zone_problem = f'storageclass.storage.k8s.io "{name}" not found'
        else:
            self.zone_problem = "PersistentVolume had no name"
        self.attachment: Attachment | None = None
        self.alone = True
        if volume is not None:
            self.attachment = volume.attachment
            if volume.attachment is not None:
                self.alone = len(supply.handles[volume.attachment]) == 1
        elif storage_class is not None and storage_class.provisioner:
            # No volume has such a handle, since none has a line break.
            handle = f"\n{claim.key.namespace}/{claim.key.name}"
            self.attachment = Attachment(storage_class.provisioner, handle)

    def wanted_by_name(self) -> Wanted:
        """Return what an unbound claim asks for, saying which claim it is."""
        assert self.wanted is not None
        return self.wanted._replace(claim=Reference(self.claim.key, self.claim.uid))


def _problem(claim: Claim) -> str | None:
    name = claim.key.name
    if claim.lost:
        return (
            f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume '
            f'"{claim.volume}"'
        )
    if claim.deleting:
        return f'persistentvolumeclaim "{name}" is being deleted'
    return None
