"""What is attached to a node, counted as pods come and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.scheduler.core.volumes.disks import Disk, DiskUsers
from orchestrator.scheduler.core.volumes.migration import DRIVERS, MIGRATED_PLUGINS, Attachment

_IN_TREE = {driver: plugin for plugin, driver in DRIVERS.items()}
_NOTHING: Mapping[str, int] = {}


class NodeVolumes:
    """The volumes of one node: the limits, and what its pods have attached.

    Attributes:
        limits: Most volumes at a time, by CSI driver, as its CSINode says.
        migrated: In-tree plugins whose volumes its CSI drivers attach.
        disks: Who uses disks that pods may not share, by kind and identity.
    """

    __slots__ = ("_attached", "_others", "_unused", "disks", "limits", "migrated")

    def __init__(self) -> None:
        self.limits: Mapping[str, int] = _NOTHING
        self.migrated: frozenset[str] = frozenset()
        self.disks: dict[tuple[str, str], DiskUsers] = {}
        self._attached: dict[str, dict[str, int]] = {}  # driver: handle: pods that use it
        # VolumeAttachments: driver: handle: how many say so; and how many of those handles no pod
        # of the node uses (it has just ended, or has not started).
        self._others: dict[str, dict[str, int]] = {}
        self._unused: dict[str, int] = {}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.limits or self.migrated or self.disks or self._attached or self._others)

    def describe(self, csi_node: Mapping[str, Any]) -> None:
        """Take over what the node's CSINode says."""
        self.limits = _limits(csi_node) or _NOTHING
        self.migrated = _migrated(csi_node)

    def attach(self, attachment: Attachment) -> None:
        """Count a pod's use of a volume; one that several pods use takes one place."""
        driver, handle = attachment
        handles = self._attached.get(driver)
        if handles is None:
            handles = self._attached[driver] = {}
        users = handles.get(handle, 0)
        handles[handle] = users + 1
        if not users and self._others and handle in self._others.get(driver, _NOTHING):
            self._unused[driver] -= 1

    def detach(self, attachment: Attachment) -> None:
        """Uncount what `attach` counted."""
        driver, handle = attachment
        handles = self._attached[driver]
        users = handles[handle] - 1
        if users:
            handles[handle] = users
            return
        del handles[handle]
        if not handles:
            del self._attached[driver]
        if self._others and handle in self._others.get(driver, _NOTHING):
            self._unused[driver] = self._unused.get(driver, 0) + 1

    def put_other(self, attachment: Attachment) -> None:
        """Count a VolumeAttachment."""
        driver, handle = attachment
        handles = self._others.setdefault(driver, {})
        handles[handle] = handles.get(handle, 0) + 1
        if handles[handle] == 1 and not self.uses(attachment):
            self._unused[driver] = self._unused.get(driver, 0) + 1

    def remove_other(self, attachment: Attachment) -> None:
        """Uncount a VolumeAttachment."""
        driver, handle = attachment
        handles = self._others[driver]
        handles[handle] -= 1
        if handles[handle]:
            return
        del handles[handle]
        if not handles:
            del self._others[driver]
        if not self.uses(attachment):
            self._unused[driver] -= 1

    def uses(self, attachment: Attachment) -> bool:
        """Tell whether a pod on the node uses the volume."""
        return attachment.handle in self._attached.get(attachment.driver, _NOTHING)

    def count(self, driver: str) -> int:
        """Return how many volumes of a CSI driver take a place."""
        number = len(self._attached.get(driver, _NOTHING))
        if self._unused:
            number += self._unused.get(driver, 0)
        if self.migrated and (plugin := _IN_TREE.get(driver)) in self.migrated:
            assert plugin is not None
            number += len(self._attached.get(plugin, _NOTHING))
        return number

    def admits(self, counts: Sequence[tuple[str, int]], shared: Sequence[Attachment] = ()) -> bool:
        """Tell whether a pod's volumes stay within the limits.

        Args:
            counts: Drivers, and how many volumes of each are the pod's alone.
            shared: Volumes that other pods use too: if they do on this node, it costs nothing.
        """
        limits = self.limits
        if not limits:
            return True
        if not shared and len(counts) == 1:  # the usual case
            driver, number = counts[0]
            if driver not in DRIVERS:
                limit = limits.get(driver)
                return limit is None or self.count(driver) + number <= limit
        needed: dict[str, int] = {}
        for name, number in counts:
            driver = self._driver(name)
            needed[driver] = needed.get(driver, 0) + number
        for attachment in shared:
            if not self.uses(attachment):
                driver = self._driver(attachment.driver)
                needed[driver] = needed.get(driver, 0) + 1
        return all(
            driver not in limits or self.count(driver) + number <= limits[driver]
            for driver, number in needed.items()
        )

    def _driver(self, name: str) -> str:
        """Return who attaches a volume here; an in-tree plugin that is not migrated does."""
        return DRIVERS[name] if name in DRIVERS and name in self.migrated else name

    def count_disk(self, disk: Disk, sign: int) -> None:
        """Count (1) or uncount (-1) a pod's use of a disk that pods may not share."""
        key = disk.kind, disk.identity
        users = self.disks.get(key)
        if users is None:
            users = self.disks[key] = DiskUsers()
        users.count(disk, sign)
        if users.gone:
            del self.disks[key]

    def has_free(self, disk: Disk) -> bool:
        """Tell whether a pod may use the disk beside those that do."""
        users = self.disks.get((disk.kind, disk.identity))
        return users is None or not users.conflict_with(disk)


def _limits(csi_node: Mapping[str, Any]) -> dict[str, int]:
    """Read the limits by driver; a driver without a count has none."""
    return {
        driver["name"]: allocatable["count"]
        for driver in (csi_node.get("spec") or {}).get("drivers") or ()
        if (allocatable := driver.get("allocatable")) and allocatable.get("count") is not None
    }


def _migrated(csi_node: Mapping[str, Any]) -> frozenset[str]:
    """Read which in-tree plugins have been migrated."""
    text = (csi_node["metadata"].get("annotations") or {}).get(MIGRATED_PLUGINS)
    return frozenset(text.split(",")) if text else frozenset()
