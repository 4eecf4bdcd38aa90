"""What a replay is judged by."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from orchestrator.bench.compare.amounts import Amounts, Shares
from orchestrator.bench.compare.series import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a trace went under one policy.

    Means over time are taken from the first arrival of a pod to the last one; if all arrive at
    once, values are those at the end.

    Attributes:
        policy: Its name.
        pods: How many arrived.
        placements: How often a pod got a node; a pod that was evicted may get one again.
        unplaced: Pods that had no node when they gave up or the trace ended.
        preemptions: Pods that had to make room for one of a higher priority.
        lost: Pods whose node went away, which made them wait again.
        pending: Seconds that each wait for a node lasted, sorted. A pod that never got one is
            counted with the time until it gave up or the trace ended: it would have waited longer.
        used: Mean share of the capacity that placed pods requested.
        used_peak: The highest such share.
        used_at_refusal: That share when a pod first fitted nowhere; None if each fitted at once.
        fragmentation: Mean share of what is free that is of no use to typical pods.
        nodes_used: Mean number of nodes with pods on them.
        nodes_used_peak: The highest such number.
        nodes: The highest number of nodes.
        end: When nothing happened any more, in seconds.
        moments: What was seen over time.
        reasons: Why pods had no node at the end, in the scheduler's words, with how many pods; the
            most frequent first.
    """

    policy: str
    pods: int
    placements: int
    unplaced: int
    preemptions: int
    lost: int
    pending: list[float]
    used: Shares
    used_peak: Shares
    used_at_refusal: Shares | None
    fragmentation: Shares
    nodes_used: float
    nodes_used_peak: int
    nodes: int
    end: float
    moments: list[Moment]
    reasons: dict[str, int]


def percentile(ordered: list[float], share: float) -> float | None:
    """Return the lowest sorted value that a ``share`` (0 to 1) of them do not exceed, if any."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Meter:
    """Keeps what is used of what there is, and its integral over time."""

    def __init__(self) -> None:
        self.capacity = Amounts()
        self.used = Amounts()
        self.nodes = self.nodes_peak = self.nodes_used_peak = 0
        self.peak: list[float | None] = [None, None, None]
        self._capacities: dict[str, Amounts] = {}
        self._pods: Counter[str] = Counter()
        self._time: float | None = None
        self._first: float | None = None
        self._last = 0.0
        self._integrals = [0.0, 0.0, 0.0, 0.0]
        self._at_last: list[float] = [0.0, 0.0, 0.0, 0.0]

    @property
    def shares(self) -> Shares:
        """What is used of what there is, now."""
        return self.used.share_of(self.capacity)

    @property
    def nodes_used(self) -> int:
        """How many nodes have pods on them, now."""
        return len(self._pods)

    def advance(self, now: float) -> None:
        """Let time pass, during which nothing changed."""
        if self._first is not None and self._time is not None and now > self._time:
            length = now - self._time
            for index, share in enumerate(self.shares):
                self._integrals[index] += length * (share or 0.0)
            self._integrals[3] += length * self.nodes_used
        self._time = now

    def settle(self) -> None:
        """Look for new peaks: everything of this time has happened."""
        for index, share in enumerate(self.shares):
            if share is not None:
                self.peak[index] = max(share, self.peak[index] or 0.0)
        self.nodes_used_peak = max(self.nodes_used_peak, self.nodes_used)

    def pod_arrived(self, now: float) -> None:
        """Note an arrival: means are taken from the first one to the last one."""
        if self._first is None:
            self._first = now
        self._last = now
        self._at_last = list(self._integrals)

    def put_node(self, name: str, capacity: Amounts) -> None:
        """Count a new node, or one of another size."""
        self.capacity = self.capacity.minus(self._capacities.get(name, Amounts())).plus(capacity)
        self._capacities[name] = capacity
        self.nodes = len(self._capacities)
        self.nodes_peak = max(self.nodes_peak, self.nodes)

    def remove_node(self, name: str) -> None:
        """Count a node no longer."""
        self.capacity = self.capacity.minus(self._capacities.pop(name, Amounts()))
        self.nodes = len(self._capacities)

    def place(self, node: str, demand: Amounts) -> None:
        """Count a pod."""
        self.used = self.used.plus(demand)
        self._pods[node] += 1

    def displace(self, node: str, demand: Amounts) -> None:
        """Count a pod no longer."""
        self.used = self.used.minus(demand)
        self._pods[node] -= 1
        if not self._pods[node]:
            del self._pods[node]

    def means(self) -> tuple[Shares, float]:
        """Return the mean of what was used, and of how many nodes."""
        length = self._last - (self._first or 0.0)
        if length <= 0:
            return self.shares, float(self.nodes_used)
        there = self.peak  # None: the cluster never had any of it
        shares = [
            None if peak is None else total / length
            for total, peak in zip(self._at_last, there, strict=False)
        ]
        return Shares(*shares), self._at_last[3] / length

    @property
    def window(self) -> float:
        """When the last pod arrived."""
        return self._last
