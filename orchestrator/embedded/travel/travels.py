"""Travel through the versions of a running cluster.

What only some ways need is loaded on them: a snapshot is to take no longer than it has to.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from actors import VirtualClock
from actors.log import MemoryLog
from actors.log.protocol import Record
from orchestrator.cluster import Origin
from orchestrator.embedded.arguments import version_of
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.travel.snapshots import ClusterSnapshot, let_stand, standing_of
from orchestrator.resources.conditions import is_condition_true
from orchestrator.store.history import History, VersionError
from orchestrator.store.housekeeping import snapshot_entries

if TYPE_CHECKING:
    from orchestrator.cluster import BareCluster
    from orchestrator.embedded.cluster.lookups import ImageLookup
    from orchestrator.embedded.travel.changes import Difference, Revisions
    from orchestrator.embedded.travel.past import Past
    from orchestrator.node import NodeConfig


class Travels:
    """What a cluster's owner may ask of its past; what is awaited is done in turn (`Turns`)."""

    def __init__(self, core: BareCluster, images: ImageLookup) -> None:
        """Look back on the cluster of ``core``, which has started."""
        self._core = core
        self._images = images

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

    async def origin(self, version: int | None) -> tuple[Origin, float]:
        """Return what a cluster begins with that goes on from a version, and at which time."""
        core, past = self._core, self.past
        store = core.store
        version = None if version is None else version_of(version)
        if core.config.runtime != "simulated":
            raise ClusterError(
                "processes cannot run a second time: fork works with runtime='simulated'"
            )
        if version is None:
            await self.settle()
        at = store.sequence if version is None else version
        copy = MemoryLog.holding(*await self._copy(at))
        moment = store.clock.now() if at == store.sequence else past.time(at)
        now = store.clock.now() if moment is None else moment
        courses = core.nodes.courses(now)
        return Origin(copy, core.directory / "pki", self._nodes_at(at), core.added, courses), now

    async def record(self, path: Path) -> None:
        """See `Cluster.record`."""
        await self.settle()
        copied = await self._copy(self._core.store.sequence)
        from actors.log.files import write_log  # SQLite, which no other way needs

        with self._core.store.clock.held():  # a disk takes real time
            await asyncio.to_thread(write_log, path, *copied)

    async def _copy(self, at: int) -> tuple[int, list[Record], Iterable[tuple[str, int, bytes]]]:
        """Return the log up to a version: its first sequence, its records, the state before."""
        past, log = self.past, self._core.log
        first = max(past.floor, log.first_sequence - 1)
        past.check(at)
        if at < first:
            raise VersionError(
                f"version {at} is no longer there: versions {first} to {past.last} are held"
            )
        records = [record async for chunk in log.read(first, limit=at - first) for record in chunk]
        entries = snapshot_entries(list(past.state(first).items())) if first else ()
        return first + 1, records, entries

    def _nodes_at(self, version: int) -> list[NodeConfig]:
        """Return the nodes that lived at a version: those that live, and those that were ready."""
        core = self._core
        known = core.nodes.known
        nodes = []
        for key in sorted(self.past.keys("nodes")):
            node, config = self.past.get(key, version), known.get(key.name)
            if node is None or config is None:
                continue
            if core.nodes.lives(key.name) or is_condition_true(node, "Ready"):
                nodes.append(config)
        return nodes

    async def snapshot(self) -> ClusterSnapshot:
        """See `Cluster.snapshot`."""
        core, store = self._core, self._core.store
        async with self._still():
            await self.settle()
            standing, courses = standing_of(core.nodes), core.nodes.courses()
            images = self._images.kept()
            return ClusterSnapshot(store, core.log, standing, courses, images, store.objects())

    async def restore(self, snapshot: ClusterSnapshot) -> None:
        """See `Cluster.restore`."""
        if self._core.config.runtime != "simulated":
            raise ClusterError(
                "what processes have done cannot be undone: restore works with "
                "runtime='simulated'; start another cluster instead"
            )
        if not isinstance(snapshot, ClusterSnapshot):
            raise TypeError(f"restore what cluster.snapshot() returned, not {snapshot!r}")
        snapshot.check(self._core.log)
        nodes, store = self._core.nodes, self._core.store
        async with self._still():  # what falls due on the way would be of neither time
            await self.settle()
            self._images.put_back(snapshot.images)
            nodes.put_back(snapshot.courses)
            if standing_of(nodes) != snapshot.standing:
                await let_stand(nodes, snapshot.standing)
                await self.settle()
            await snapshot.put_back(store, nodes.on_course)

    def _still(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Let time stand for a block, also for those who advance it meanwhile."""
        clock = self._core.store.clock
        return clock.still() if isinstance(clock, VirtualClock) else contextlib.nullcontext()

    async def settle(self) -> None:
        """Let what is under way come to its end: it belongs to the time before."""
        clock = self._core.store.clock
        if isinstance(clock, VirtualClock):
            await clock.settle(courteous=False)
        await self._core.store.settle()

    def at(self, version: int) -> Past:
        """See `Cluster.at`."""
        from orchestrator.embedded.travel.past import Past

        return Past(self.past, self._core.store.built_in, version_of(version))

    def diff(self, before: int, after: int) -> Difference:
        """See `Cluster.diff`."""
        from orchestrator.embedded.travel.changes import difference

        return difference(self.past, version_of(before), version_of(after))

    def history(self, target: str, namespace: str) -> Revisions:
        """See `Cluster.history`."""
        from orchestrator.embedded.travel.changes import revisions

        return revisions(self.past, self._core.store.built_in, target, namespace)
