"""The objects that a served cluster has by itself, and keeps."""

from orchestrator.controllers.system.actor import SystemObjects
from orchestrator.controllers.system.addresses import ServiceAddresses
from orchestrator.controllers.system.leases import LeaseCollector
from orchestrator.controllers.system.ranges import ServiceRanges

__all__ = ["LeaseCollector", "ServiceAddresses", "ServiceRanges", "SystemObjects"]
