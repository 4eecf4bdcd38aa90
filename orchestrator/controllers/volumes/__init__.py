"""PersistentVolumes and their claims: who gets which, and what becomes of volumes afterwards."""

from orchestrator.controllers.volumes.actor import VolumeBindingController

__all__ = ["VolumeBindingController"]
