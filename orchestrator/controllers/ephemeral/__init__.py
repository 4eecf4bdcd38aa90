"""Generic ephemeral volumes: a claim for each, which lives as long as its pod."""

from orchestrator.controllers.ephemeral.actor import EphemeralVolumeController
from orchestrator.controllers.ephemeral.core import decide_claims

__all__ = ["EphemeralVolumeController", "decide_claims"]
