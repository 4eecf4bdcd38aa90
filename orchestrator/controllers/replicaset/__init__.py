"""ReplicaSets: so many pods of one template."""

from orchestrator.controllers.replicaset.actor import ReplicaSetController
from orchestrator.controllers.replicaset.core import Observed, decide_replica_set

__all__ = ["Observed", "ReplicaSetController", "decide_replica_set"]
