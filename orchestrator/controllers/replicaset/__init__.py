"""ReplicaSets and ReplicationControllers: so many pods of one template."""

from orchestrator.controllers.replicaset.actor import ReplicaSetController, ReplicationController
from orchestrator.controllers.replicaset.core import Observed, decide_replica_set

__all__ = [
    "Observed",
    "ReplicaSetController",
    "ReplicationController",
    "decide_replica_set",
]
