"""VolumeAttachments: volumes that keep a place on a node though no pod there uses them.

A volume whose pod has ended is attached until somebody detaches it.
Source: ``getNodeVolumeAttachmentInfo`` of the NodeVolumeLimits plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from orchestrator.resources.objects import name_of
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.volumes.changes import NO_CHANGE, VolumeChange
from orchestrator.scheduler.core.volumes.migration import DRIVERS, Attachment
from orchestrator.scheduler.core.volumes.persistent import Volume
from orchestrator.scheduler.core.volumes.usage import Usage


class _Attached(NamedTuple):
    node: str
    driver: str
    volume: str


class Attaching:
    """Counts VolumeAttachments on their nodes; those of volumes that are there and are CSI's."""

    def __init__(self, volumes: Mapping[str, Volume], usage: Usage) -> None:
        """Begin without any.

        Args:
            volumes: By name; whoever changes one says so (`recount`).
            usage: Where to count them.
        """
        self._volumes = volumes
        self._usage = usage
        self._all: dict[str, _Attached] = {}
        self._counted: dict[str, tuple[str, Attachment]] = {}
        self._of_volume: dict[str, dict[str, None]] = {}

    def put(self, obj: Mapping[str, Any]) -> VolumeChange:
        """Take over a new or changed one."""
        name, spec = name_of(obj), obj.get("spec") or {}
        volume = (spec.get("source") or {}).get("persistentVolumeName") or ""
        found = _Attached(spec.get("nodeName") or "", spec.get("attacher") or "", volume)
        if self._all.get(name) == found:
            return NO_CHANGE
        change = self.remove(name)
        self._all[name] = found
        self._of_volume.setdefault(volume, {})[name] = None
        self._count(name)
        return change._replace(nodes=(*change.nodes, found.node))

    def remove(self, name: str) -> VolumeChange:
        """Forget one: there is a place more."""
        known = self._all.pop(name, None)
        if known is None:
            return NO_CHANGE
        self._uncount(name)
        others = self._of_volume[known.volume]
        del others[name]
        if not others:
            del self._of_volume[known.volume]
        drivers = frozenset((known.driver,))
        return VolumeChange(ClusterEvent.VOLUME_ATTACHMENT, (known.node,), drivers=drivers)

    def recount(self, volume: str) -> tuple[str, ...]:
        """Count those of a volume anew, which has come, gone or got another handle.

        Returns:
            The nodes where that may make a difference.
        """
        names = self._of_volume.get(volume, ())
        for name in names:
            self._uncount(name)
            self._count(name)
        return tuple(self._all[name].node for name in names)

    def _count(self, name: str) -> None:
        found = self._all[name]
        volume = self._volumes.get(found.volume)
        attachment = None if volume is None else volume.attachment
        if attachment is not None and attachment.driver not in DRIVERS:
            counted = Attachment(found.driver, attachment.handle)
            self._counted[name] = found.node, counted
            self._usage.node(found.node).put_other(counted)

    def _uncount(self, name: str) -> None:
        counted = self._counted.pop(name, None)
        if counted is not None:
            self._usage.node(counted[0]).remove_other(counted[1])
            self._usage.tidy(counted[0])
