"""Volumes of pods: what is in them, where it is on this machine, and how containers see it."""

from orchestrator.node.volumes.directories import VolumeDirectories
from orchestrator.node.volumes.provisioned import ProvisionedVolumes

__all__ = ["ProvisionedVolumes", "VolumeDirectories"]
