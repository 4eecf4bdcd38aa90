"""How much of what is free is of no use to the pods that come.

The measure is the one of "Beware of Fragmentation" (USENIX ATC '23), for every resource: the share
of the free amount that stands on nodes where a typical pod, one that asks for that resource, does
not fit; the mean over typical pods, weighted by how often they arrived so far. 0: each of them fits
on every node that has anything free. 1: none of them fits anywhere.

Verdicts are kept, and only nodes that changed are judged anew.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from orchestrator.bench.compare.amounts import Amounts, Shares
from orchestrator.bench.simulation import Simulation, capacity_of, demand_of, used_of
from orchestrator.scheduler.core import PodClass

TYPICAL: Final = 16
"""How many classes of pods are looked at: those that arrived most often."""


class _Typical:
    """What is free on the nodes that do not take a class of pods."""

    __slots__ = ("blocked", "demand", "node_shares")

    def __init__(self, pod: PodClass) -> None:
        self.demand = demand_of(pod)
        self.blocked = Amounts()
        self.node_shares: dict[str, Amounts] = {}


class Fragmentation:
    """The fragmentation of a simulation's nodes."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._arrived: Counter[PodClass] = Counter()
        self._typical: dict[PodClass, _Typical] = {}
        self._free: dict[str, Amounts] = {}
        self._total = Amounts()
        self._changed: dict[str, None] = {}

    def arrived(self, pod: PodClass) -> None:
        """Count an arrival, of which typical pods are made."""
        self._arrived[pod] += 1

    def changed(self, node: str) -> None:
        """Note that a node came, went or has other pods."""
        self._changed[node] = None

    def measure(self) -> Shares:
        """Return the fragmentation of every resource as things are now.

        None for a resource of which nothing is free, or for which no typical pod asks.
        """
        weights = dict(self._arrived.most_common(TYPICAL))
        self._update(weights)
        shares: list[float | None] = []
        for index, free in enumerate(self._total):
            asking = [pod for pod in weights if self._typical[pod].demand[index]]
            weight = sum(weights[pod] for pod in asking)
            if not weight or not free:
                shares.append(None)
                continue
            blocked = sum(weights[pod] * self._typical[pod].blocked[index] for pod in asking)
            shares.append(blocked / weight / free)
        return Shares(*shares)

    def _update(self, weights: dict[PodClass, int]) -> None:
        nodes = self._simulation.nodes
        for name in self._changed:
            self._total = self._total.minus(self._free.pop(name, Amounts()))
            state = nodes.get(name)
            if state is not None:
                free = capacity_of(state).minus(used_of(state))
                free = self._free[name] = Amounts(*(max(0, amount) for amount in free))
                self._total = self._total.plus(free)
        self._typical = {
            pod: self._typical.get(pod) or self._judged_everywhere(pod) for pod in weights
        }
        for pod, typical in self._typical.items():
            for name in self._changed:
                self._judge(pod, typical, name)
        self._changed.clear()

    def _judged_everywhere(self, pod: PodClass) -> _Typical:
        typical = _Typical(pod)
        for name in self._free:
            self._judge(pod, typical, name)
        return typical

    def _judge(self, pod: PodClass, typical: _Typical, name: str) -> None:
        before = typical.node_shares.pop(name, None)
        if before is not None:
            typical.blocked = typical.blocked.minus(before)
        state = self._simulation.nodes.get(name)
        if state is not None and not self._simulation.fits(pod, state):
            free = typical.node_shares[name] = self._free[name]
            typical.blocked = typical.blocked.plus(free)
