"""Counts of pods by topology domain, kept as pods and nodes come and go.

Affinity between pods and topology spread ask how many pods of some kind are in the zone, on the
rack, on the node. The answer is a number in a table here, changed by every placement that it
counts, so that nobody ever goes through the pods of a cluster to schedule another one.

There are three kinds of tables. A `MatchCounter` counts the pods that match a pod's own terms; a
`SpreadCounter` those that a spread constraint is about; an `OwnerCounter` the pods that have a
term themselves, for the pods that match it (anti-affinity holds in both directions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from orchestrator.resources.selectors import LabelSelector
from orchestrator.scheduler.core.affinities import NodeSelection
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.taints import Toleration, tolerates_all
from orchestrator.scheduler.core.terms import HOSTNAME, Spread, Term

NODE = ""
"""The topology key of a node by itself, whoever else may have the same hostname label."""

_SWEEP_AT = 512


class Domains:
    """The values of one topology key, and the nodes that have each of them.

    Attributes:
        key: The label's key.
        members: Node indexes by value.
        coarse: Its domains are few and large: whoever caches what it knows of nodes had better
            look a domain's count up than look at every node of the domain again.
    """

    __slots__ = ("coarse", "key", "members", "nodes")

    def __init__(self, key: str) -> None:
        self.key = key
        self.members: dict[str, dict[int, None]] = {}
        self.nodes = 0
        self.coarse = False

    def value(self, node: NodeState) -> str | None:
        """Return the domain of a node, None where it has none."""
        if self.key == NODE:
            return node.name if HOSTNAME in node.labels else None
        return node.labels.get(self.key)

    def add(self, node: NodeState) -> None:
        """Take a node in."""
        value = self.value(node)
        if value is not None:
            self.members.setdefault(value, {})[node.index] = None
            self.nodes += 1

    def remove(self, node: NodeState) -> None:
        """Forget a node; its labels must be those it was added with."""
        value = self.value(node)
        if value is None or value not in self.members:
            return
        members = self.members[value]
        if members.pop(node.index, members) is None:
            self.nodes -= 1
        if not members:
            del self.members[value]

    def is_coarse(self) -> bool:
        """Tell what `coarse` should be by now."""
        count = len(self.members)
        return 4 * self.nodes >= count * count


class Counter:
    """A table of counts by domain.

    Attributes:
        domains: Of its topology key.
        counts: By domain; the domains with 0 may be absent.
        total: Of all domains.
        users: How many cached views look at it; a counter without any may be dropped.
    """

    __slots__ = ("counts", "domains", "total", "users")

    alive_only = False
    """Whether pods that are being deleted do not count."""

    def __init__(self, domains: Domains) -> None:
        self.domains = domains
        self.counts: dict[str, int] = {}
        self.total = 0
        self.users = 0

    def weigh(self, pod: PodClass, _spaces: Mapping[str, Mapping[str, str]], /) -> int:
        """Return how much a pod of a class counts for, given the labels of all namespaces."""
        raise NotImplementedError

    def add(self, node: NodeState, amount: int) -> str | None:
        """Count something on a node; return the domain whose count changed."""
        domain = self.domains.value(node)
        if domain is not None:
            self.counts[domain] = self.counts.get(domain, 0) + amount
            self.total += amount
        return domain

    def attach(self, node: NodeState) -> None:
        """Take a node in, before its pods."""

    def detach(self, node: NodeState) -> None:
        """Forget a node, after its pods."""

    def reset(self) -> None:
        """Count from nothing again."""
        self.counts.clear()
        self.total = 0

    def on(self, node: NodeState) -> int:
        """Return the count in a node's domain; 0 where it has none."""
        domain = self.domains.value(node)
        return 0 if domain is None else self.counts.get(domain, 0)

    def equalities(self) -> Mapping[str, str]:
        """Return labels that everything that counts is known to have."""
        raise NotImplementedError


class MatchCounter(Counter):
    """Counts pods that match all of some terms."""

    __slots__ = ("terms",)

    def __init__(self, domains: Domains, terms: tuple[Term, ...]) -> None:
        super().__init__(domains)
        self.terms = terms

    def weigh(self, pod: PodClass, spaces: Mapping[str, Mapping[str, str]]) -> int:
        """Return 1 for a class that matches."""
        return int(matches_all(self.terms, pod, spaces))

    def equalities(self) -> Mapping[str, str]:
        """Return the labels that the first term wants."""
        return self.terms[0].selector.equalities


class SpreadCounter(Counter):
    """Counts pods for a spread constraint, on the nodes that take part in it.

    A domain is one as soon as a node of it takes part, pods or none.

    Attributes:
        part: What it counts.
        nodes: How many nodes of each domain take part.
    """

    __slots__ = ("_frequencies", "_lowest", "_takes_part", "nodes", "part")

    alive_only = True

    def __init__(self, domains: Domains, part: SpreadPart) -> None:
        super().__init__(domains)
        self.part = part
        self.nodes: dict[str, int] = {}
        self._takes_part: dict[int, bool] = {}
        self._frequencies: dict[int, int] = {}  # how many domains have a count
        self._lowest = 0

    def weigh(self, pod: PodClass, _spaces: Mapping[str, Mapping[str, str]]) -> int:
        """Return 1 for a class of the namespace that matches."""
        part = self.part
        return int(pod.namespace == part.namespace and part.selector.matches(pod.labels))

    def lowest(self) -> int:
        """Return the smallest count of any domain; 0 when there is no domain."""
        if not self._frequencies:
            return 0
        if self._lowest not in self._frequencies:
            self._lowest = min(self._frequencies)
        return self._lowest

    def add(self, node: NodeState, amount: int) -> str | None:
        """Count something on a node, if it takes part."""
        if not self._takes_part.get(node.index):
            return None
        domain = self.domains.value(node)
        assert domain is not None
        before = self.counts[domain]
        self.counts[domain] = after = before + amount
        self.total += amount
        self._move(before, after)
        return domain

    def attach(self, node: NodeState) -> None:
        """Take a node in, if it takes part."""
        domain = self.domains.value(node)
        takes_part = domain is not None and self.part.admits(node)
        self._takes_part[node.index] = takes_part
        if not takes_part:
            return
        assert domain is not None
        self.nodes[domain] = self.nodes.get(domain, 0) + 1
        if domain not in self.counts:
            self.counts[domain] = 0
            self._move(None, 0)

    def detach(self, node: NodeState) -> None:
        """Forget a node; with the last of a domain the domain goes."""
        if not self._takes_part.pop(node.index, False):
            return
        domain = self.domains.value(node)
        assert domain is not None
        self.nodes[domain] -= 1
        if not self.nodes[domain]:
            del self.nodes[domain]
            self._move(self.counts.pop(domain), None)

    def reset(self) -> None:
        """Count from nothing again, without any node."""
        super().reset()
        self.nodes.clear()
        self._takes_part.clear()
        self._frequencies.clear()
        self._lowest = 0

    def _move(self, before: int | None, after: int | None) -> None:
        frequencies = self._frequencies
        if before is not None:
            left = frequencies[before] - 1
            if left:
                frequencies[before] = left
            else:
                del frequencies[before]
        if after is not None:
            frequencies[after] = frequencies.get(after, 0) + 1
            self._lowest = min(self._lowest, after)

    def equalities(self) -> Mapping[str, str]:
        """Return the labels that the selector wants."""
        return self.part.selector.equalities


class OwnerCounter(Counter):
    """Counts pods that have a term, or adds up the weights they give it."""

    __slots__ = ("role", "term")

    def __init__(self, domains: Domains, term: Term, role: str) -> None:
        super().__init__(domains)
        self.term = term
        self.role = role

    def weigh(self, pod: PodClass, _spaces: Mapping[str, Mapping[str, str]]) -> int:
        """Return how often, or with which weight, a class has the term."""
        affinity = pod.affinity
        if self.role == REPELS:
            return affinity.repelled.count(self.term)
        if self.role == ATTRACTS:
            return affinity.attracted.count(self.term)
        return sum(weight for weight, term in affinity.preferred if term == self.term)

    def equalities(self) -> Mapping[str, str]:
        """Return the labels that the term wants, of the pods it is about."""
        return self.term.selector.equalities


class SpreadPart(NamedTuple):
    """Which pods and which nodes a `SpreadCounter` is about.

    Attributes:
        namespace: Of the pods.
        selector: Of the pods.
        keys: Labels that a node must have to take part.
        selection: Node affinity that must select it; None where that does not matter.
        tolerations: That must cover its taints; None where that does not matter.
    """

    namespace: str
    selector: LabelSelector
    keys: tuple[str, ...]
    selection: NodeSelection | None
    tolerations: tuple[Toleration, ...] | None

    def admits(self, node: NodeState) -> bool:
        """Tell whether a node takes part."""
        labels = node.labels
        if any(key not in labels for key in self.keys):
            return False
        if self.selection is not None and not self.selection.matches(node.name, labels):
            return False
        return self.tolerations is None or tolerates_all(node.taints, self.tolerations)


REPELS, ATTRACTS, PREFERS = "repels", "attracts", "prefers"

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
        return self._count(pod, node, 1)

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
        for node in self._nodes.values():
            for pod in node.pods.values():
                weight = weights.get(pod.pod_class)
                if weight is None:
                    weight = weights[pod.pod_class] = counter.weigh(pod.pod_class, self.spaces)
                if weight and not (counter.alive_only and pod.terminating):
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


def matches_all(
    terms: Iterable[Term], pod: PodClass, spaces: Mapping[str, Mapping[str, str]]
) -> bool:
    """Tell whether pods of a class match every term."""
    space = spaces.get(pod.namespace) or {}
    return all(term.matches(pod.namespace, pod.labels, space) for term in terms)


def spread_part(pod: PodClass, spread: Spread, keys: tuple[str, ...]) -> SpreadPart:
    """Return what a constraint of a class counts.

    Args:
        pod: The class.
        spread: The constraint.
        keys: Labels that nodes must have to take part, beside the constraint's own.
    """
    selection = pod.selection if spread.honor_affinity and pod.selection.selects else None
    return SpreadPart(
        pod.namespace,
        spread.selector,
        keys,
        selection,
        pod.tolerations if spread.honor_taints else None,
    )


def _roles(pod: PodClass) -> Iterator[tuple[Term, str]]:
    affinity = pod.affinity
    for term in affinity.repelled:
        yield term, REPELS
    for term in affinity.attracted:
        yield term, ATTRACTS
    for _, term in affinity.preferred:
        yield term, PREFERS
