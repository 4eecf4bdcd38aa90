"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.sync.twins.access import SyncAccess
from orchestrator.embedded.sync.twins.extensions import SyncExtensions
from orchestrator.embedded.sync.twins.images import SyncImages
from orchestrator.embedded.sync.twins.past import SyncPast
from orchestrator.embedded.sync.twins.troubles import SyncTroubles

if TYPE_CHECKING:
    from orchestrator.embedded.cluster.cluster import Cluster


class SyncMethods(SyncAccess, SyncExtensions, SyncImages, SyncTroubles, SyncPast):
    """The synchronous twin of `Cluster`: the same methods, without ``await``."""

    _async: Cluster
