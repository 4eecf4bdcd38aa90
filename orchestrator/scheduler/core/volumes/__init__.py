"""Volumes: what a pod's claims demand of nodes, and what claims can be given."""

from orchestrator.scheduler.core.volumes.book import RESOURCES, Reservation, VolumeBook
from orchestrator.scheduler.core.volumes.changes import VolumeChange
from orchestrator.scheduler.core.volumes.demands import Depends, VolumeDemand

__all__ = [
    "RESOURCES",
    "Depends",
    "Reservation",
    "VolumeBook",
    "VolumeChange",
    "VolumeDemand",
]
