"""Claims and volumes in use are not removed until nothing uses them."""

from orchestrator.controllers.protection.actor import ProtectionController
from orchestrator.controllers.protection.core import decide_claim, decide_volume

__all__ = ["ProtectionController", "decide_claim", "decide_volume"]
