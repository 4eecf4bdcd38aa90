"""EndpointSlices and Endpoints of Services."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.controllers.endpoints.actor import EndpointsController
    from orchestrator.controllers.endpoints.core import decide_endpoints
    from orchestrator.controllers.endpoints.members import Member, member_of

__all__ = ["EndpointsController", "Member", "decide_endpoints", "member_of"]

__getattr__ = exports(
    __name__,
    {
        "EndpointsController": "orchestrator.controllers.endpoints.actor",
        "Member": "orchestrator.controllers.endpoints.members",
        "decide_endpoints": "orchestrator.controllers.endpoints.core",
        "member_of": "orchestrator.controllers.endpoints.members",
    },
)
