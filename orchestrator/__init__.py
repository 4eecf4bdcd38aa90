"""A Kubernetes-API-compatible orchestrator in pure Python.

``Cluster`` and ``ClusterConfig`` are the embedded library; they are loaded on first use, so that
importing one part does not cost the others.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types

    from orchestrator.cluster import Cluster, ClusterConfig, ClusterError

__all__ = ["Cluster", "ClusterConfig", "ClusterError"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(_load(), name)
    raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")


def _load() -> types.ModuleType:
    """Load the embedded library without the cyclic collector, and leave it as it was.

    Classes and functions come by the ten thousand and stay; walking them again and again while
    they come finds nothing and takes a tenth of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        from orchestrator import cluster
    finally:
        if collects:
            gc.enable()
    return cluster
