"""A Kubernetes-API-compatible orchestrator in pure Python.

``Cluster`` is the embedded library; it is loaded on first use, so that importing one part does not
cost the others.
"""

from __future__ import annotations

import gc
import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from orchestrator.cluster import ClusterConfig
    from orchestrator.embedded import (
        ApplyError,
        Cluster,
        ClusterError,
        DrainError,
        Exit,
        WaitTimeoutError,
    )
    from orchestrator.embedded.containers import Container
    from orchestrator.embedded.sync import SyncCluster
    from orchestrator.resources.errors import StatusError

_HOMES: Final = {
    "ApplyError": "orchestrator.embedded",
    "Cluster": "orchestrator.embedded",
    "ClusterConfig": "orchestrator.cluster",
    "ClusterError": "orchestrator.embedded",
    "Container": "orchestrator.embedded.containers",
    "DrainError": "orchestrator.embedded",
    "Exit": "orchestrator.embedded",
    "StatusError": "orchestrator.resources.errors",
    "SyncCluster": "orchestrator.embedded.sync",
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
    "WaitTimeoutError",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
    return getattr(_load(home), name)


def _load(home: str) -> Any:
    """Load a module without the cyclic collector, and leave it as it was.

    Classes and functions come by the ten thousand and stay; walking them again and again while
    they come finds nothing and takes a tenth of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(home)
    finally:
        if collects:
            gc.enable()
