"""The class that users have in hand, `Cluster`: a module for each thing that it can do."""

from orchestrator.embedded.cluster.cluster import Cluster

__all__ = ["Cluster"]
