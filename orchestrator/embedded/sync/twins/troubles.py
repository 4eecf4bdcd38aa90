"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.sync.twins.faults import SyncFaults
from orchestrator.embedded.sync.twins.nodes import SyncNodes
from orchestrator.embedded.sync.twins.objects import SyncObjects

if TYPE_CHECKING:
    from orchestrator.embedded.cluster.troubles import ClusterTroubles


class SyncTroubles(SyncObjects):
    """The synchronous twin of `ClusterTroubles`: the same methods, without ``await``."""

    _async: ClusterTroubles

    @property
    def faults(self) -> SyncFaults:
        """What can be made to go wrong between it and its clients."""
        return SyncFaults(self._portal, self._portal.run(lambda: self._async.faults))

    @property
    def nodes(self) -> SyncNodes:
        """Its nodes by name, to let them crash, to cut them off, to drain them."""
        return SyncNodes(self._portal, self._portal.run(lambda: self._async.nodes))
