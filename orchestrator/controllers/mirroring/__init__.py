"""Endpoints that users write, mirrored to EndpointSlices."""

from orchestrator.controllers.mirroring.actor import MirroringController
from orchestrator.controllers.mirroring.core import decide_mirror, is_mirrored

__all__ = ["MirroringController", "decide_mirror", "is_mirrored"]
