"""PersistentVolumes and their claims: who gets which, and what becomes of volumes afterwards."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.controllers.volumes.actor import VolumeBindingController

__all__ = ["VolumeBindingController"]

__getattr__ = exports(
    __name__,
    {
        "VolumeBindingController": "orchestrator.controllers.volumes.actor",
    },
)
