"""Disks that two pods on a node may not share, named in the pods themselves.

Source: ``isVolumeConflict`` of kube-scheduler's VolumeRestrictions plugin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

EXCLUSIVE: Final = frozenset({"awsElasticBlockStore", "gcePersistentDisk", "iscsi", "rbd"})
"""The volume sources that name such disks."""


class Disk(NamedTuple):
    """A disk as one pod uses it.

    Attributes:
        kind: The name of the volume source.
        identity: What makes two of a kind the same disk. An RBD image has one for each of its
            monitors: images are the same when they share any.
        shared: Read-only, which is fine beside others that only read.
    """

    kind: str
    identity: str
    shared: bool


class DiskUsers:
    """How many pods of a node use a disk."""

    __slots__ = ("readers", "writers")

    def __init__(self) -> None:
        self.readers = 0
        self.writers = 0

    def count(self, disk: Disk, sign: int) -> None:
        """Count a user, or with ``sign`` -1 uncount it."""
        if disk.shared:
            self.readers += sign
        else:
            self.writers += sign

    def conflict_with(self, disk: Disk) -> bool:
        """Tell whether a pod that uses the disk that way has to go elsewhere."""
        return self.writers > 0 or (self.readers > 0 and not disk.shared)

    @property
    def gone(self) -> bool:
        """Whether nobody uses the disk."""
        return not (self.readers or self.writers)


def disks_of(volume: Mapping[str, Any]) -> Iterator[Disk]:
    """Find the disks that a pod's volume names."""
    if source := volume.get("gcePersistentDisk"):
        yield Disk("gcePersistentDisk", source.get("pdName") or "", bool(source.get("readOnly")))
    if source := volume.get("awsElasticBlockStore"):
        # Not even two readers may share one.
        yield Disk("awsElasticBlockStore", source.get("volumeID") or "", shared=False)
    if source := volume.get("iscsi"):
        yield Disk("iscsi", source.get("iqn") or "", bool(source.get("readOnly")))
    if source := volume.get("rbd"):
        image = f"{source.get('pool') or ''}/{source.get('image') or ''}"
        for monitor in source.get("monitors") or ():
            yield Disk("rbd", f"{monitor} {image}", bool(source.get("readOnly")))
