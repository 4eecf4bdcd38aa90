"""ClusterRoles that are put together out of others."""

from orchestrator.controllers.clusterroles.actor import ClusterRoleAggregationController
from orchestrator.controllers.clusterroles.core import decide_aggregation

__all__ = ["ClusterRoleAggregationController", "decide_aggregation"]
