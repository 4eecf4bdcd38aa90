"""Asks the twin short questions, for tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.scheduler.twin import Profile, Snapshot, filter_all, score_all
from tests.scheduler.twin.builders import HOST, ZONE, Object, node, pod


def zoned(count: int, zones: Sequence[str]) -> list[Object]:
    """Make nodes ``n0``, ``n1``, ... in zones that take turns."""
    return [
        node(f"n{index}", {HOST: f"n{index}", ZONE: zones[index % len(zones)]})
        for index in range(count)
    ]


def verdict(pod_: Object, on: Object, profile: Profile | None = None, **parts: Any) -> Any:
    """Return the reasons of the only node, and whether preemption might help; None if it fits."""
    snapshot = Snapshot(nodes=[on], **parts)
    found = filter_all(snapshot, pod_, profile or Profile())[on["metadata"]["name"]]
    return None if found is None else (found.reasons, found.resolvable)


def feasible(snapshot: Snapshot, pod_: Object) -> str:
    """Return the names of the nodes that take a pod, as one word."""
    return " ".join(name for name, found in filter_all(snapshot, pod_).items() if found is None)


def points(
    plugin: str, snapshot: Snapshot, pod_: Object, profile: Profile | None = None
) -> list[int]:
    """Return what a plugin gives to each node, all of them taken as feasible."""
    names = [one["metadata"]["name"] for one in snapshot.nodes]
    scores = score_all(snapshot, pod_, names, profile or Profile())
    return [scores[name][plugin] for name in names]


def claiming(*claims: str, **fields: Any) -> Object:
    """Make a pod with claims."""
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims]
    return pod("p", volumes=volumes, **fields)
