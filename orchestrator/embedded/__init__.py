"""A whole cluster inside a Python program or test, with its own clock."""

from orchestrator.embedded.clock.clocks import ClusterClock
from orchestrator.embedded.cluster import Cluster
from orchestrator.embedded.errors import (
    ApplyError,
    ClusterError,
    DrainError,
    VersionError,
    WaitTimeoutError,
)
from orchestrator.node.simulated_processes import Exit

__all__ = [
    "ApplyError",
    "Cluster",
    "ClusterClock",
    "ClusterError",
    "DrainError",
    "Exit",
    "VersionError",
    "WaitTimeoutError",
]
