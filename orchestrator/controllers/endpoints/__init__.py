"""EndpointSlices and Endpoints of Services."""

from orchestrator.controllers.endpoints.actor import EndpointsController
from orchestrator.controllers.endpoints.core import decide_endpoints
from orchestrator.controllers.endpoints.members import Member, member_of

__all__ = ["EndpointsController", "Member", "decide_endpoints", "member_of"]
