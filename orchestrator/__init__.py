"""A Kubernetes-API-compatible orchestrator in pure Python.

``Cluster`` is the embedded library; it is loaded on first use, so that importing one part does not
cost the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.cluster import ClusterConfig
    from orchestrator.embedded import (
        ApplyError,
        Cluster,
        ClusterError,
        DrainError,
        Exit,
        VersionError,
        WaitTimeoutError,
    )
    from orchestrator.embedded.containers.containers import Container
    from orchestrator.embedded.sync import SyncCluster
    from orchestrator.embedded.travel.changes import UnknownObjectError
    from orchestrator.resources.errors import StatusError

_HOMES: Final = {
    "ApplyError": "orchestrator.embedded",
    "Cluster": "orchestrator.embedded",
    "ClusterConfig": "orchestrator.cluster",
    "ClusterError": "orchestrator.embedded",
    "Container": "orchestrator.embedded.containers.containers",
    "DrainError": "orchestrator.embedded",
    "Exit": "orchestrator.embedded",
    "StatusError": "orchestrator.resources.errors",
    "SyncCluster": "orchestrator.embedded.sync",
    "UnknownObjectError": "orchestrator.embedded.travel.changes",
    "VersionError": "orchestrator.embedded",
    "WaitTimeoutError": "orchestrator.embedded",
}
__all__ = [
    "ApplyError",
    "Cluster",
    "ClusterConfig",
    "ClusterError",
    "Container",
    "DrainError",
    "Exit",
    "StatusError",
    "SyncCluster",
    "UnknownObjectError",
    "VersionError",
    "WaitTimeoutError",
]


__getattr__ = exports(__name__, _HOMES)
