"""What a change of a storage object means to pods that wait.

Sources: ``EventsToRegister`` and the queueing hints of the four volume plugins.
"""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.volumes.demands import VolumeDemand


class VolumeChange(NamedTuple):
    """A change, and whom it concerns beside the pods that use the very claim or volume.

    Those are known by uid, and what they demand is found anew: see `VolumeBook.take_stale`.

    Attributes:
        event: What happened; nothing where no rejected pod can be helped.
        nodes: Nodes on which verdicts may differ now.
        classes: Pods with claims of these classes that wait for their first pod may be helped.
        drivers: Pods with volumes of these CSI drivers may be helped.
    """

    event: ClusterEvent = ClusterEvent(0)
    nodes: tuple[str, ...] = ()
    classes: frozenset[str] = frozenset()
    drivers: frozenset[str] = frozenset()

    def helps(self, demand: VolumeDemand) -> bool:
        """Tell whether a pod that was rejected may find a node now."""
        parts = demand.parts
        if self.classes and any(wanted.storage_class in self.classes for wanted in parts.unbound):
            return True
        return bool(self.drivers) and (
            any(driver in self.drivers for driver, _ in parts.counts)
            or any(attachment.driver in self.drivers for attachment in parts.shared)
        )


NO_CHANGE = VolumeChange()
