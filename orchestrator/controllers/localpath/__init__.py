"""The built-in provisioner: volumes that are directories of this machine."""

from orchestrator.controllers.localpath.actor import LocalPathProvisioner, ensure_default_class

__all__ = ["LocalPathProvisioner", "ensure_default_class"]
