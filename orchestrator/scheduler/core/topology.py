"""Counts of pods by topology domain, kept as pods and nodes come and go.

Affinity between pods and topology spread ask how many pods of some kind are in the zone, on the
rack, on the node. The answer is a number in a table (`orchestrator.scheduler.core.counters`),
changed by every placement that it counts, so that nobody ever goes through the pods of a cluster to
schedule another one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.counters import (
    ATTRACTS,
    PREFERS,
    REPELS,
    Counter,
    Domains,
    MatchCounter,
    OwnerCounter,
    SpreadCounter,
    SpreadPart,
)
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.terms import Term

_SWEEP_AT = 512
_SEEN_LIMIT = 8192
"""Classes that are noted before those that are gone are looked for."""

Effect: TypeAlias = tuple[Counter, int]


class _Lookup:
    """Counters by a label that everything they are about has, so that few have to be asked."""

    def __init__(self) -> None:
        self._by_label: dict[tuple[str, str], dict[int, Counter]] = {}
        self._others: dict[int, Counter] = {}

    def add(self, counter: Counter) -> None:
        self._place(counter)[id(counter)] = counter

    def remove(self, counter: Counter) -> None:
        place = self._place(counter)
        place.pop(id(counter), None)
        if not place and place is not self._others:
            del self._by_label[next(iter(counter.equalities().items()))]

    def find(self, labels: Mapping[str, str]) -> Iterator[Counter]:
        """Yield the counters that may be about a pod with these labels."""
        yield from self._others.values()
        for item in labels.items():
            found = self._by_label.get(item)
            if found:
                yield from found.values()

    def _place(self, counter: Counter) -> dict[int, Counter]:
        for item in counter.equalities().items():
            return self._by_label.setdefault(item, {})
        return self._others


class _Seen:
    """The classes of pods that are counted, or have been, by namespace and label.

    It may name some that are gone: whoever makes it anew from those that are there keeps it small.
    """

    __slots__ = ("_by_label", "_classes", "_limit")

    def __init__(self, present: Iterable[PodClass] = ()) -> None:
        self._classes: dict[PodClass, None] = {}
        self._by_label: dict[tuple[str, str, str], dict[PodClass, None]] = {}
        self._limit = sys.maxsize
        for pod in present:
            self.add(pod)
        self._limit = max(_SEEN_LIMIT, 2 * len(self._classes))

    def add(self, pod: PodClass) -> bool:
        """Note a class; tell whether there are so many that those which are gone should go."""
        if pod not in self._classes:
            self._classes[pod] = None
            for label, value in pod.labels.items():
                self._by_label.setdefault((pod.namespace, label, value), {})[pod] = None
        return len(self._classes) > self._limit

    def like(self, namespace: str, labels: Mapping[str, str]) -> Iterable[PodClass]:
        """Return a namespace's classes that may have all of some labels: all, without labels."""
        found: Iterable[PodClass] = self._classes
        least = sys.maxsize
        for label, value in labels.items():
            those = self._by_label.get((namespace, label, value))
            if those is None:
                return ()
            if len(those) < least:
                found, least = those, len(those)
        return found


class Topology:
    """All counters of a cluster, and what a pod of each class does to them.

    Attributes:
        version: Grows whenever another counter is to be looked at by somebody, or one changes
            between fine and coarse: views of pod classes are made anew then.
        era: Grows when counts changed, or will change, without nodes being told of as touched: what
            was cached of nodes before says nothing any more.
        spaces: Labels of the namespaces.
        uses_spaces: Some term looks at them.
    """

    def __init__(self, spaces: Mapping[str, Mapping[str, str]]) -> None:
        self.version = 0
        self.era = 0
        self.spaces = spaces
        self._nodes: dict[int, NodeState] = {}
        self._domains: dict[str, Domains] = {}
        self._nodes_at_check = 0
        self.uses_spaces = False
        self._matching: dict[tuple[tuple[Term, ...], str], MatchCounter] = {}
        self._spreading: dict[tuple[SpreadPart, str], SpreadCounter] = {}
        self._owned: dict[tuple[Term, str], OwnerCounter] = {}
        self._counting = _Lookup()  # matching and spreading, by whom they count
        self._owners = _Lookup()  # by the pods that the terms are about
        self._effects: dict[PodClass, tuple[Effect, ...]] = {}
        self._seen = _Seen()
        self._sweep_at = _SWEEP_AT

    # ---- what changes the counts

    def attach(self, node: NodeState) -> Iterable[int]:
        """Take in a node with its pods; return the nodes whose fine counts changed with it."""
        self._nodes[node.index] = node
        for domains in self._domains.values():
            domains.add(node)
        for counter in self._spreading.values():
            counter.attach(node)
        touched: dict[int, None] = {}
        for pod in node.pods.values():
            touched.update(dict.fromkeys(self._count(pod, node, 1)))
        self._reconsider()
        return touched

    def detach(self, node: NodeState) -> Iterable[int]:
        """Forget a node with its pods; return the nodes whose fine counts changed with it.

        Its labels and pods must be those that were attached.
        """
        touched: dict[int, None] = {}
        for pod in node.pods.values():
            touched.update(dict.fromkeys(self._count(pod, node, -1)))
        for counter in self._spreading.values():
            counter.detach(node)
        for domains in self._domains.values():
            domains.remove(node)
        self._nodes.pop(node.index, None)
        return touched

    def add(self, pod: PodState, node: NodeState) -> Iterable[int]:
        """Count a pod; return the other nodes whose fine counts changed with it."""
        # Nobody counts most pods, and this runs for every placement.
        return () if self._effects.get(pod.pod_class) == () else self._count(pod, node, 1)

    def remove(self, pod: PodState, node: NodeState) -> Iterable[int]:
        """Uncount a pod; return the other nodes whose fine counts changed with it."""
        return self._count(pod, node, -1)

    def _count(self, pod: PodState, node: NodeState, sign: int) -> Iterable[int]:
        effects = self._effects.get(pod.pod_class)
        if effects is None:
            effects = self.effects(pod.pod_class)
        touched: Iterable[int] = ()
        for counter, amount in effects:
            if counter.alive_only and pod.terminating:
                continue
            domain = counter.add(node, sign * amount)
            domains = counter.domains
            if domain is not None and not domains.coarse:
                members = domains.members[domain]
                if len(members) > 1:
                    touched = {**dict.fromkeys(touched), **members}
        return touched

    def effects(self, pod: PodClass) -> tuple[Effect, ...]:
        """Return the counters that a pod of a class counts in, and how much."""
        found = self._effects.get(pod)
        if found is not None:
            return found
        spaces = self.spaces
        self._own(pod)
        counted: list[Counter] = list(self._counting.find(pod.labels))
        counted += self._terms_of(pod)
        effects = tuple(
            (counter, amount) for counter in counted if (amount := counter.weigh(pod, spaces))
        )
        if len(self._effects) > 8192:
            self._effects.clear()
        self._effects[pod] = effects
        if self._seen.add(pod):
            # Those without effects here are noted when they come again.
            self._effects = {pod: effects}
            self._seen = _Seen(
                other.pod_class for node in self._nodes.values() for other in node.pods.values()
            )
            self._seen.add(pod)
        return effects

    def _terms_of(self, pod: PodClass) -> list[OwnerCounter]:
        return [self._owned[key] for key in dict.fromkeys(_roles(pod))]

    def _own(self, pod: PodClass) -> None:
        """Make the counters of a class's own terms."""
        new = [role for role in dict.fromkeys(_roles(pod)) if role not in self._owned]
        if not new:
            return
        self._sweep()
        self._note(term for term, _ in new)
        for term, role in new:
            counter = OwnerCounter(self._domains_of(term.key), term, role)
            self._owned[term, role] = counter
            self._owners.add(counter)
        self.version += 1

    # ---- who looks at the counts

    def matching(self, terms: tuple[Term, ...], key: str) -> MatchCounter:
        """Return the counter, by ``key``, of the pods that match all of ``terms``."""
        counter = self._matching.get((terms, key))
        if counter is None:
            self._sweep()
            self._note(terms)
            counter = MatchCounter(self._domains_of(key), terms)
            self._matching[terms, key] = counter
            self._enlist(counter)
        return counter

    def spreading(self, part: SpreadPart, key: str) -> SpreadCounter:
        """Return the counter, by ``key``, of a spread constraint."""
        counter = self._spreading.get((part, key))
        if counter is None:
            self._sweep()
            counter = SpreadCounter(self._domains_of(key), part)
            self._spreading[part, key] = counter
            for node in self._nodes.values():
                counter.attach(node)
            self._enlist(counter)
        return counter

    def owners(self, pod: PodClass) -> Iterator[OwnerCounter]:
        """Yield the counters of terms that pods of a class match."""
        for counter in self._owners.find(pod.labels):
            assert isinstance(counter, OwnerCounter)
            space = self.spaces.get(pod.namespace) or {}
            if counter.term.matches(pod.namespace, pod.labels, space):
                yield counter

    def _note(self, terms: Iterable[Term]) -> None:
        self.uses_spaces = self.uses_spaces or any(term.namespace_selector for term in terms)

    def _domains_of(self, key: str) -> Domains:
        domains = self._domains.get(key)
        if domains is None:
            domains = self._domains[key] = Domains(key)
            for node in self._nodes.values():
                domains.add(node)
            domains.coarse = domains.is_coarse()
        return domains

    def _enlist(self, counter: Counter) -> None:
        """Count what is there already, and from now on what comes."""
        weights: dict[PodClass, int] = {}
        rest = None
        if isinstance(counter, SpreadCounter):
            # Of most classes that are new to a cluster, nobody there matches the constraint.
            rest = 0
            for pod in self._seen.like(counter.part.namespace, counter.equalities()):
                if found := counter.weigh(pod, self.spaces):
                    weights[pod] = found
        for node in self._nodes.values() if weights or rest is None else ():
            for state in node.pods.values():
                weight = weights.get(state.pod_class, rest)
                if weight is None:
                    weight = weights[state.pod_class] = counter.weigh(state.pod_class, self.spaces)
                if weight and not (counter.alive_only and state.terminating):
                    counter.add(node, weight)
        self._counting.add(counter)
        self._effects.clear()

    # ---- upkeep

    def rebuild(self) -> None:
        """Count everything anew: labels of namespaces have changed."""
        for table in (self._matching, self._spreading, self._owned):
            for counter in table.values():
                counter.reset()
        self._effects.clear()
        self.version += 1
        self.era += 1
        for node in self._nodes.values():
            for spread in self._spreading.values():
                spread.attach(node)
            for pod in node.pods.values():
                self._count(pod, node, 1)

    def _reconsider(self) -> None:
        """Decide anew which keys are coarse once the cluster has grown by half."""
        if len(self._nodes) < 1.5 * self._nodes_at_check + 8:
            return
        self._nodes_at_check = len(self._nodes)
        for domains in self._domains.values():
            coarse = domains.is_coarse()
            if coarse != domains.coarse:
                domains.coarse = coarse
                self.version += 1
                self.era += 1

    def _size(self) -> int:
        return len(self._matching) + len(self._spreading) + len(self._owned)

    def _sweep(self) -> None:
        """Drop counters that nobody looks at, when many have gathered."""
        if self._size() < self._sweep_at:
            return
        for key, counter in list(self._matching.items()):
            if not counter.users:
                del self._matching[key]
                self._counting.remove(counter)
        for part, spread in list(self._spreading.items()):
            if not spread.users:
                del self._spreading[part]
                self._counting.remove(spread)
        held = {
            role
            for node in self._nodes.values()
            for pod in {pod.pod_class for pod in node.pods.values()}
            for role in _roles(pod)
        }
        for term, owner in list(self._owned.items()):
            if not owner.users and term not in held:
                del self._owned[term]
                self._owners.remove(owner)
        self._effects.clear()
        self._sweep_at = max(_SWEEP_AT, 2 * self._size())


def _roles(pod: PodClass) -> Iterator[tuple[Term, str]]:
    affinity = pod.affinity
    for term in affinity.repelled:
        yield term, REPELS
    for term in affinity.attracted:
        yield term, ATTRACTS
    for _, term in affinity.preferred:
        yield term, PREFERS
