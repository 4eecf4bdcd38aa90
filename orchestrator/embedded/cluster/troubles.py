"""What can be made to go wrong with a cluster: between it and its clients, and with its nodes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.embedded.cluster.objects import ClusterObjects

if TYPE_CHECKING:
    from orchestrator.embedded.faults.faults import Faults
    from orchestrator.embedded.nodes.nodes import Nodes


class ClusterTroubles(ClusterObjects):
    """Holds a cluster's faults, and its nodes."""

    @cached_property
    def faults(self) -> Faults:
        """What can be made to go wrong between it and its clients."""
        from orchestrator.embedded.faults.faults import Faults

        core = self.core
        return Faults(self._gate, core, self._served, self.clock, self._presence)

    @cached_property
    def nodes(self) -> Nodes:
        """Its nodes by name, to let them crash, to cut them off, to drain them."""
        from orchestrator.embedded.nodes.nodes import Nodes

        return Nodes(self.core, self.api, self.clock, self._presence)
