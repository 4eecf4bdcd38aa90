"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.sync.twins.life import SyncLife

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.embedded.cluster.past import ClusterPast
    from orchestrator.embedded.travel.changes import Difference, Revisions
    from orchestrator.embedded.travel.past import Past
    from orchestrator.embedded.travel.snapshots import ClusterSnapshot


class SyncPast(SyncLife):
    """The synchronous twin of `ClusterPast`: the same methods, without ``await``."""

    _async: ClusterPast

    @property
    def version(self) -> int:
        """The ``resourceVersion`` of the present state."""
        return self._portal.run(lambda: self._async.version)

    def at(self, version: int) -> Past:
        """Read the state at a version, which `version` was at that moment.

        ```python
        before = cluster.version
        cluster.api.delete("deployment", "web")
        assert cluster.at(before).get("deployment", "web")
        ```

        Raises:
            VersionError: It is still to come, or no longer held; see ``history``.
        """
        return self._portal.run(self._async.at, version)

    def diff(self, before: int, after: int | None = None) -> Difference:
        """Compare the states at two versions: what was added, removed and changed, and where.

        Print what comes back, or go through it.

        Args:
            before: The one version.
            after: The other one; the present unless given.

        Raises:
            VersionError: One of them is not held.
        """
        return self._portal.run(self._async.diff, before, after)

    def history(self, target: str, namespace: str = "default") -> Revisions:
        """Tell what became of an object: each revision, when, by whom, and what changed.

        Args:
            target: ``deployment/web``; it may be gone by now.
            namespace: Where; no matter for kinds without namespaces.

        Raises:
            StatusError: 404, there is and was no such kind.
            UnknownObjectError: There was no such object at any version held.
            VersionError: No history is kept.
        """
        return self._portal.run(self._async.history, target, namespace)

    def record(self, path: Path | str) -> None:
        """Write the log to a file, for ``orchestrator replay``, ``history`` and ``diff``.

        What is in it is what `history` keeps; a log that was there is replaced.

        Raises:
            LogError: It cannot be written, or something else is there.
        """
        self._portal.call(self._async.record, path)

    def snapshot(self) -> ClusterSnapshot:
        """Take note of all objects, to come back to with `restore` as often as one likes.

        ```python
        snap = cluster.snapshot()
        ...                                    # a test
        cluster.restore(snap)            # the next one begins where this one did
        ```

        It holds no copies, so it costs next to nothing.
        """
        return self._portal.call(self._async.snapshot)

    def restore(self, snapshot: ClusterSnapshot) -> None:
        """Put back all objects as they were in a snapshot, with their old uids.

        Versions and the clock go on: what is put back gets new versions, all in one commit, and
        watches from before end with 410 ``Expired``, upon which clients list anew. Pods whose
        containers ran in the snapshot run again, with no restart to be seen (a function of an image
        begins anew, delays and run times have the rest that they had); those that are not in it are
        gone. Nodes live, or have crashed, and images do what they were told, as then. What is none
        of these is not put back: faults, and what a container has written.

        Raises:
            ClusterError: The snapshot is another cluster's, or the nodes run processes, which
                cannot be undone.
        """
        self._portal.call(self._async.restore, snapshot)
