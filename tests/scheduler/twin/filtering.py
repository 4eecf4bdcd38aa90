"""Which nodes take a pod, and why the others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.scheduler.twin.nodes import (
    NodeAffinity,
    NodeName,
    NodePorts,
    NodeUnschedulable,
    TaintToleration,
)
from tests.scheduler.twin.plugin import Plugin, Rejection
from tests.scheduler.twin.pod_affinity import InterPodAffinity
from tests.scheduler.twin.resources import NodeResourcesFit
from tests.scheduler.twin.snapshot import DEFAULT_PROFILE, Object, Profile, Snapshot, name
from tests.scheduler.twin.spreading import PodTopologySpread
from tests.scheduler.twin.volumes import (
    NodeVolumeLimits,
    VolumeBinding,
    VolumeRestrictions,
    VolumeZone,
)

FILTERS: tuple[type[Plugin], ...] = (
    NodeUnschedulable,
    NodeName,
    TaintToleration,
    NodeAffinity,
    NodePorts,
    NodeResourcesFit,
    VolumeRestrictions,
    NodeVolumeLimits,
    VolumeBinding,
    VolumeZone,
    PodTopologySpread,
    InterPodAffinity,
)
"""In upstream's order: the first that rejects a node gives its reasons."""


def filter_all(
    snapshot: Snapshot, pod: Object, profile: Profile = DEFAULT_PROFILE
) -> dict[str, Rejection | None]:
    """Return each node's verdict on a pod: None where it can run, else the first rejection."""
    rejected, chosen = prefilter(snapshot, pod, profile)
    verdicts: dict[str, Rejection | None] = {}
    for node in snapshot.nodes:
        if rejected is not None:
            verdicts[name(node)] = rejected
        elif chosen is not None and name(node) not in chosen:
            verdicts[name(node)] = Rejection(
                "NodeAffinity", ("node(s) didn't satisfy plugin(s) [NodeAffinity]",), False
            )
        else:
            verdicts[name(node)] = judge(snapshot, pod, node, profile)
    return verdicts


def prefilter(
    snapshot: Snapshot, pod: Object, profile: Profile
) -> tuple[Rejection | None, frozenset[str] | None]:
    """Return why no node can take the pod, or else the only nodes to look at (None: all)."""
    chosen = None
    for plugin in FILTERS:
        found = plugin(snapshot, pod, profile).prefilter()
        if isinstance(found, Rejection):
            return found, None
        if found is not None:
            chosen = found
    return None, chosen


def judge(snapshot: Snapshot, pod: Object, node: Object, profile: Profile) -> Rejection | None:
    """Run the filters on a node, with the nominated pods that come first there, then without."""
    expected = snapshot.with_nominated(node, pod)
    for world in (snapshot,) if expected is snapshot else (expected, snapshot):
        for plugin in FILTERS:
            if plugin.name in profile.off:
                continue
            rejection = plugin(world, pod, profile).filter(node)
            if rejection is not None:
                return rejection
    return None


def histogram(total: int, reasons: Iterable[str]) -> str:
    """Count equal reasons, and sort what results as text."""
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    return f"0/{total} nodes are available: {', '.join(counted)}."
