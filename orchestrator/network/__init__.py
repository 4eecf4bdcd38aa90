"""Services: a stable address in front of pods that come and go."""

from orchestrator.network.manager import ServiceManager
from orchestrator.network.plans import Listener, ServicePlan, plan_service
from orchestrator.network.service import GetStatistics, ServiceActor, ServiceStatistics
from orchestrator.resources.service_endpoints import Endpoint

__all__ = [
    "Endpoint",
    "GetStatistics",
    "Listener",
    "ServiceActor",
    "ServiceManager",
    "ServicePlan",
    "ServiceStatistics",
    "plan_service",
]
