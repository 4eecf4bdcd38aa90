"""PodDisruptionBudgets: how many pods may be evicted, and marks of disruptions that never came."""

from orchestrator.controllers.disruption.actor import DisruptionController
from orchestrator.controllers.disruption.core import Healthy, decide_budget, decide_stale_target

__all__ = ["DisruptionController", "Healthy", "decide_budget", "decide_stale_target"]
