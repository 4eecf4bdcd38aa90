"""What happened in a run, in the order of its commits: checks and figures come from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from orchestrator.resources.objects import Object

PodName: TypeAlias = tuple[str, str]
"""Namespace and name; a workload never uses a pod's name twice."""

ChangeType: TypeAlias = Literal["node", "node gone", "created", "bound", "terminating", "gone"]


class Change(NamedTuple):
    """One thing that happened.

    Attributes:
        type: ``node``: one was made or changed; the others of pods.
        object: As it was then.
        time: When it was committed, in seconds on some clock; the decision's time in the core.
    """

    type: ChangeType
    object: Object
    time: float


def name_of_pod(pod: Object) -> PodName:
    """Return a pod's namespace and name."""
    metadata = pod["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


class Timing(NamedTuple):
    """How long the measured pods took.

    Attributes:
        pods: How many.
        seconds: From the first request to the last binding.
        latencies: Seconds from each pod's creation to its binding, sorted.
        rates: Pods a second in each full window of the time, sorted.
        window: Seconds of one window.
    """

    pods: int
    seconds: float
    latencies: list[float]
    rates: list[float]
    window: float

    @property
    def rate(self) -> float:
        """Pods a second over the whole time."""
        return self.pods / self.seconds if self.seconds else 0.0


def timing(
    changes: Iterable[Change], measured: Iterable[PodName], began: float, ended: float
) -> Timing:
    """Return how long some pods took."""
    wanted = set(measured)
    created: dict[PodName, float] = {}
    bound: dict[PodName, float] = {}
    for change in changes:
        if change.type in {"created", "bound"}:
            name = name_of_pod(change.object)
            if name in wanted:
                (created if change.type == "created" else bound).setdefault(name, change.time)
    latencies = sorted(time - created.get(name, began) for name, time in bound.items())
    seconds = ended - began
    window = 1.0 if seconds >= 10 else max(seconds / 10, 1e-6)
    counts = [0] * max(1, int(seconds / window))
    for time in bound.values():
        at = int((time - began) / window)
        if at < len(counts):
            counts[at] += 1
    return Timing(len(bound), seconds, latencies, sorted(n / window for n in counts), window)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that ``share`` (0 to 1) of the sorted values do not exceed; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def digest(changes: Iterable[Change], measured: Iterable[PodName]) -> str:
    """Return a short text that is equal when the measured pods went to the same nodes."""
    wanted = set(measured)
    lines = sorted(
        f"{name[0]}/{name[1]} {change.object['spec']['nodeName']}"
        for change in changes
        if change.type == "bound" and (name := name_of_pod(change.object)) in wanted
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
