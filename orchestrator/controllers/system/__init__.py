"""The objects that a served cluster has by itself, and keeps."""

from orchestrator.controllers.system.actor import SystemObjects
from orchestrator.controllers.system.addresses import ServiceAddresses

__all__ = ["ServiceAddresses", "SystemObjects"]
