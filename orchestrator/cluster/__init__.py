"""Composition: one cluster out of one configuration."""

from orchestrator.cluster.cluster import Cluster
from orchestrator.cluster.config import ClusterConfig, ClusterError

__all__ = ["Cluster", "ClusterConfig", "ClusterError"]
