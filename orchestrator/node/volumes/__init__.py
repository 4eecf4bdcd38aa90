"""Volumes of pods: what is in them, where it is on this machine, and how containers see it."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.node.volumes.directories import VolumeDirectories
    from orchestrator.node.volumes.provisioned import ProvisionedVolumes

__all__ = ["ProvisionedVolumes", "VolumeDirectories"]

__getattr__ = exports(
    __name__,
    {
        "ProvisionedVolumes": "orchestrator.node.volumes.provisioned",
        "VolumeDirectories": "orchestrator.node.volumes.directories",
    },
)
