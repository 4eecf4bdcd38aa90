"""What can happen in a cluster that lets a pod fit where it did not.

Source: ``ClusterEvent`` and the plugins' ``EventsToRegister`` in kube-scheduler's framework.
"""

from __future__ import annotations

import enum


class ClusterEvent(enum.Flag):
    """A kind of change; several at once as a union."""

    NODE_ADDED = enum.auto()
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
