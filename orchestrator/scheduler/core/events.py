"""What can happen in a cluster that lets a pod fit where it did not.

Source: ``ClusterEvent`` and the plugins' ``EventsToRegister`` in kube-scheduler's framework.
"""

from __future__ import annotations

import enum


class ClusterEvent(enum.Flag):
    """A kind of change; several at once as a union."""

    NODE_ADDED = enum.auto()
    NODE_REMOVED = enum.auto()
    NODE_RESOURCES = enum.auto()
    """Allocatable or capacity changed."""
    NODE_LABELS = enum.auto()
    NODE_TAINTS = enum.auto()
    """Taints or ``spec.unschedulable`` changed."""
    POD_ADDED = enum.auto()
    """A pod was placed on a node."""
    POD_LABELS = enum.auto()
    """A placed pod's labels changed."""
    POD_RESOURCES = enum.auto()
    """A placed pod's requests became smaller."""
    POD_REMOVED = enum.auto()
    """A pod on a node was deleted, finished, or turned out not to be there."""
    NAMESPACE_LABELS = enum.auto()
    CLAIM = enum.auto()
    """A PersistentVolumeClaim was added or changed."""
    VOLUME = enum.auto()
    """A PersistentVolume was added or changed."""
    STORAGE_CLASS = enum.auto()
    CSI_NODE = enum.auto()
    CSI_DRIVER = enum.auto()
    CSI_CAPACITY = enum.auto()
    """A CSIStorageCapacity was added or changed."""
    VOLUME_ATTACHMENT = enum.auto()
    """A VolumeAttachment was removed."""


NOTHING = ClusterEvent(0)
ANYTHING = ~NOTHING

_LABELS = {
    ClusterEvent.NODE_ADDED: "NodeAdd",
    ClusterEvent.NODE_REMOVED: "NodeDelete",
    ClusterEvent.NODE_RESOURCES: "NodeUpdateNodeAllocatable",
    ClusterEvent.NODE_LABELS: "NodeUpdateNodeLabel",
    ClusterEvent.NODE_TAINTS: "NodeUpdateNodeTaint",
    ClusterEvent.POD_ADDED: "AssignedPodAdd",
    ClusterEvent.POD_LABELS: "AssignedPodUpdatePodLabel",
    ClusterEvent.POD_RESOURCES: "AssignedPodUpdatePodScaleDown",
    ClusterEvent.POD_REMOVED: "AssignedPodDelete",
    ClusterEvent.NAMESPACE_LABELS: "NamespaceUpdate",
    ClusterEvent.CLAIM: "PersistentVolumeClaimUpdate",
    ClusterEvent.VOLUME: "PersistentVolumeUpdate",
    ClusterEvent.STORAGE_CLASS: "StorageClassUpdate",
    ClusterEvent.CSI_NODE: "CSINodeUpdate",
    ClusterEvent.CSI_DRIVER: "CSIDriverUpdate",
    ClusterEvent.CSI_CAPACITY: "CSIStorageCapacityUpdate",
    ClusterEvent.VOLUME_ATTACHMENT: "VolumeAttachmentDelete",
}


def label_of(event: ClusterEvent) -> str:
    """Return upstream's name of an event in metrics; of several at once, the first one's."""
    return next((label for kind, label in _LABELS.items() if kind & event), "Unknown")
