"""Composition: one cluster out of one configuration."""

from orchestrator.cluster.cluster import BareCluster, Origin
from orchestrator.cluster.config import ClusterConfig, ClusterError

__all__ = ["BareCluster", "ClusterConfig", "ClusterError", "Origin"]
