"""The built-in provisioner: volumes that are directories of this machine."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.controllers.localpath.actor import LocalPathProvisioner
    from orchestrator.controllers.localpath.classes import ensure_default_class

__all__ = ["LocalPathProvisioner", "ensure_default_class"]

__getattr__ = exports(
    __name__,
    {
        "LocalPathProvisioner": "orchestrator.controllers.localpath.actor",
        "ensure_default_class": "orchestrator.controllers.localpath.classes",
    },
)
