"""What can go wrong with an embedded cluster, beside what its API refuses (`StatusError`)."""

from __future__ import annotations

from orchestrator.cluster import ClusterError
from orchestrator.store.history import VersionError

__all__ = ["ApplyError", "ClusterError", "DrainError", "VersionError", "WaitTimeoutError"]


class WaitTimeoutError(TimeoutError):
    """What was waited for did not come true in time; the text shows how things stand."""

    __module__ = "orchestrator"  # where users import it from, and what reports show


class ApplyError(ValueError):
    """What was to be applied cannot be read as objects; the text says which part, and why."""

    __module__ = "orchestrator"  # where users import it from, and what reports show


class DrainError(ClusterError):
    """A node has pods that must not be evicted as it was asked for; nothing was."""

    __module__ = "orchestrator"  # where users import it from, and what reports show
