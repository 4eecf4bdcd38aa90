"""A Kubernetes-API-compatible orchestrator in pure Python.

``Cluster`` and ``ClusterConfig`` are the embedded library; they are loaded on first use, so that
importing one part does not cost the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.cluster import Cluster, ClusterConfig, ClusterError

__all__ = ["Cluster", "ClusterConfig", "ClusterError"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from orchestrator import cluster

        return getattr(cluster, name)
    raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
