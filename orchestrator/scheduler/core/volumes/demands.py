"""What the volumes of a pod demand of nodes: equal for pods that demand the same."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from orchestrator.scheduler.core.volumes.claims import Wanted
from orchestrator.scheduler.core.volumes.disks import Disk
from orchestrator.scheduler.core.volumes.migration import Attachment
from orchestrator.scheduler.core.volumes.persistent import HOSTNAME, Affinity, ClaimKey, Zones


class Depends(enum.Flag):
    """What else the verdict on a node depends on, beside the node's labels."""

    NODE_PODS = enum.auto()
    """On the pods of that node, and its CSINode: limits and disks."""
    SUPPLY = enum.auto()
    """On volumes that are free, can be made, or are used elsewhere: see `VolumeBook.revision`."""


class Refusal(NamedTuple):
    """Why a pod cannot go to any node, whatever is freed there.

    Attributes:
        plugin: Which plugin says so, by upstream's name.
        message: In upstream's words.
    """

    plugin: str
    message: str


class Parts(NamedTuple):
    """The content of a demand.

    Attributes:
        refusals: Why it cannot be scheduled at all. The first one of a plugin that is enabled is
            the answer for all nodes (upstream's PreFilter).
        disks: Disks that other pods on the node must not use.
        exclusive: ReadWriteOncePod claims that more than this pod may want to use.
        counts: Drivers (or in-tree plugins), and how many volumes of each nobody else uses.
        shared: Volumes that others use too, which cost nothing where they do.
        bound: Where each bound volume can be reached from; None for a volume that is not there.
        zones: What the labels of bound volumes say.
        unbound: What claims ask for that wait for their first pod, the smallest first.
    """

    refusals: tuple[Refusal, ...] = ()
    disks: tuple[Disk, ...] = ()
    exclusive: tuple[ClaimKey, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    shared: tuple[Attachment, ...] = ()
    bound: tuple[Affinity | None, ...] = ()
    zones: tuple[Zones, ...] = ()
    unbound: tuple[Wanted, ...] = ()


class VolumeDemand:
    """A demand; its hash is computed once, since it is part of the key of pod classes.

    Attributes:
        parts: The content.
        depends: What a verdict depends on that changes without the node changing.
        hosts: No node without one of these host names comes into question: that is where the
            bound volumes are. None where they do not say it so.
    """

    __slots__ = ("_hash", "_refusals", "depends", "hosts", "parts")

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.depends = Depends(0)
        if parts.disks or parts.counts or parts.shared:
            self.depends |= Depends.NODE_PODS
        if parts.exclusive or parts.unbound:
            self.depends |= Depends.SUPPLY
        local = [
            affinity.locality[1]
            for affinity in parts.bound
            if affinity is not None
            and affinity.locality is not None
            and affinity.locality[0] == HOSTNAME
        ]
        self.hosts = frozenset.intersection(*local) if local else None
        self._hash = hash(parts)
        self._refusals: Mapping[str, str] = dict(parts.refusals)

    def refusal(self, plugin: str) -> str | None:
        """Return why a plugin refuses the pod whatever the node; None if it does not."""
        return self._refusals.get(plugin) if self._refusals else None

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, VolumeDemand)
            and self._hash == other._hash
            and self.parts == other.parts
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        said = {name: value for name, value in self.parts._asdict().items() if value}
        return f"VolumeDemand({said})"
