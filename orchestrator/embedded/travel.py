"""Travel through the versions of a running cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import VirtualClock
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.travel_changes import Difference, Revisions, difference, revisions
from orchestrator.embedded.travel_past import Past
from orchestrator.embedded.travel_snapshots import ClusterSnapshot
from orchestrator.resources.kinds import registry
from orchestrator.store.history import History, VersionError

if TYPE_CHECKING:
    from orchestrator.cluster import BareCluster


class Travels:
    """What a cluster's owner may ask of its past."""

    def __init__(self, core: BareCluster) -> None:
        """Look back on the cluster of ``core``, which has started."""
        self._core = core
        self._built_in = registry(core.config.kubernetes_version)

    @property
    def past(self) -> History:
        """What is held.

        Raises:
            VersionError: Nothing is.
        """
        history = self._core.store.history
        if history is None:
            raise VersionError("this cluster keeps no history: make it with Cluster(history=None)")
        return history

    async def snapshot(self) -> ClusterSnapshot:
        """See `Cluster.snapshot`."""
        await self._settle()
        store = self._core.store
        return ClusterSnapshot(store, store.sequence, store.clock.now(), store.objects())

    async def restore(self, snapshot: ClusterSnapshot) -> None:
        """See `Cluster.restore`."""
        if self._core.config.runtime != "simulated":
            raise ClusterError(
                "what processes have done cannot be undone: restore works with "
                "runtime='simulated'; start another cluster instead"
            )
        await self._settle()
        await snapshot.put_back(self._core.store)

    async def _settle(self) -> None:
        """Let what is under way come to its end: it belongs to the time before."""
        clock = self._core.store.clock
        if isinstance(clock, VirtualClock):
            await clock.settle(courteous=False)
        await self._core.store.settle()

    def at(self, version: int) -> Past:
        """See `Cluster.at`."""
        return Past(self.past, self._built_in, version)

    def diff(self, before: int, after: int) -> Difference:
        """See `Cluster.diff`."""
        return difference(self.past, before, after)

    def history(self, target: str, namespace: str) -> Revisions:
        """See `Cluster.history`."""
        return revisions(self.past, self._built_in, target, namespace)
