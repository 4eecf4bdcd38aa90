"""Snapshots: a state of all objects that can be put back."""

from __future__ import annotations

import datetime as dt

from orchestrator.embedded.errors import ClusterError
from orchestrator.resources.objects import Object
from orchestrator.store import Store
from orchestrator.store.operations import Rewind


class ClusterSnapshot:
    """All objects of a cluster as they were; made by `Cluster.snapshot`.

    Attributes:
        version: When, as a ``resourceVersion``.
    """

    def __init__(
        self, store: Store, version: int, now: float, objects: dict[tuple[str, str, str], Object]
    ) -> None:
        """Hold the objects, which are frozen."""
        self.version = version
        self._store = store
        self._now = now
        self._objects = objects
        # As `_objects`, but for those that have been put back: what is put back has a new version,
        # and is not to be compared field by field again.
        self._known = dict(objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __repr__(self) -> str:
        return f"<snapshot of {len(self)} objects at version {self.version}>"

    @property
    def time(self) -> dt.datetime:
        """The cluster's time at that moment."""
        return dt.datetime.fromtimestamp(self._now, dt.UTC)

    async def put_back(self, store: Store) -> None:
        """Make the objects of ``store`` what they were.

        Raises:
            ClusterError: It is not the store that they were in.
        """
        if store is not self._store:
            raise ClusterError(
                "this snapshot was taken of another cluster, whose uids and keys are its own: "
                "restore it there, or fork that cluster"
            )
        rewind = Rewind(self._objects, self._known)
        await store.rewind(rewind)
        self._known.update(rewind.made)
