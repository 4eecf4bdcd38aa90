"""The shape of a plugin: made anew for every pod, asked about every node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from tests.scheduler.twin.snapshot import Object, Profile, Snapshot


class Rejection(NamedTuple):
    """Why a pod cannot run on a node.

    Attributes:
        plugin: The first one that rejects.
        reasons: All of that plugin's.
        resolvable: Removing pods from the node might help (``Unschedulable``; the contrary is
            ``UnschedulableAndUnresolvable``).
    """

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool


class Plugin:
    """A plugin's view of one pod in one snapshot; by default it has no opinion."""

    name: ClassVar[str]

    def __init__(self, snapshot: Snapshot, pod: Object, profile: Profile) -> None:
        self.snapshot = snapshot
        self.pod = pod
        self.profile = profile

    def prefilter(self) -> Rejection | frozenset[str] | None:
        """Reject the pod whatever the node, or return the only nodes worth a look, or None."""
        return None

    def filter(self, node: Object) -> Rejection | None:
        """Reject the pod on a node, or return None."""
        return None

    def scores(self, feasible: Sequence[Object]) -> dict[str, int] | None:
        """Return a score of 0 to 100 for each feasible node; None to have no part in scoring."""
        return None

    def rejection(self, *reasons: str, resolvable: bool) -> Rejection:
        """Make a rejection of this plugin."""
        return Rejection(self.name, reasons, resolvable)


def normalised(counts: dict[str, int], *, reverse: bool = False) -> dict[str, int]:
    """Scale to 0..100 by the highest, as upstream's DefaultNormalizeScore."""
    highest = max(counts.values(), default=0)
    if highest == 0:
        return dict.fromkeys(counts, 100 if reverse else 0)
    scaled = {node: 100 * count // highest for node, count in counts.items()}
    return {node: 100 - score for node, score in scaled.items()} if reverse else scaled
