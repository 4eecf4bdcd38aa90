"""Tables of counts by topology domain, one for each thing that is counted.

A `MatchCounter` counts the pods that match a pod's own terms; a `SpreadCounter` those that a spread
constraint is about; an `OwnerCounter` the pods that have a term themselves, for the pods that match
it (anti-affinity holds in both directions). `orchestrator.scheduler.core.topology` keeps them.
"""

from __future__ import annotations

from collections import Counter as Frequencies
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from orchestrator.resources.node_affinity import NodeSelection
from orchestrator.resources.selectors import LabelSelector
from orchestrator.resources.tolerations import Toleration, tolerates_all
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.terms import HOSTNAME, Spread, Term

NODE: Final = ""
"""The topology key of a node by itself, whoever else may have the same hostname label."""

REPELS, ATTRACTS, PREFERS = "repels", "attracts", "prefers"
"""What a term that a pod has does to the pods that match it."""


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

    __slots__ = ("_domain_of", "_frequencies", "_lowest", "nodes", "part")

    alive_only = True

    def __init__(self, domains: Domains, part: SpreadPart) -> None:
        super().__init__(domains)
        self.part = part
        self.nodes: dict[str, int] = {}
        self._domain_of: dict[int, str] = {}  # of the nodes that take part, by index
        # How many domains have a count; None until somebody asks for the lowest one, which the
        # constraints that only score never do.
        self._frequencies: dict[int, int] | None = None
        self._lowest = 0

    def weigh(self, pod: PodClass, _spaces: Mapping[str, Mapping[str, str]]) -> int:
        """Return 1 for a class of the namespace that matches."""
        part = self.part
        return int(pod.namespace == part.namespace and part.selector.matches(pod.labels))

    def lowest(self) -> int:
        """Return the smallest count of any domain; 0 when there is no domain."""
        if self._frequencies is None:
            self._frequencies = dict(Frequencies(self.counts.values()))
        if not self._frequencies:
            return 0
        if self._lowest not in self._frequencies:
            self._lowest = min(self._frequencies)
        return self._lowest

    def add(self, node: NodeState, amount: int) -> str | None:
        """Count something on a node, if it takes part."""
        domain = self._domain_of.get(node.index)
        if domain is None:
            return None
        before = self.counts[domain]
        self.counts[domain] = after = before + amount
        self.total += amount
        if self._frequencies is not None:
            self._move(before, after)
        return domain

    def attach(self, node: NodeState) -> None:
        """Take a node in, if it takes part."""
        domain = self.domains.value(node)
        if domain is None or not self.part.admits(node):
            return
        self._domain_of[node.index] = domain
        self.nodes[domain] = self.nodes.get(domain, 0) + 1
        if domain not in self.counts:
            self.counts[domain] = 0
            self._move(None, 0)

    def detach(self, node: NodeState) -> None:
        """Forget a node; with the last of a domain the domain goes."""
        domain = self._domain_of.pop(node.index, None)
        if domain is None:
            return
        self.nodes[domain] -= 1
        if not self.nodes[domain]:
            del self.nodes[domain]
            self._move(self.counts.pop(domain), None)

    def reset(self) -> None:
        """Count from nothing again, without any node."""
        super().reset()
        self.nodes.clear()
        self._domain_of.clear()
        self._frequencies = None
        self._lowest = 0

    def _move(self, before: int | None, after: int | None) -> None:
        frequencies = self._frequencies
        if frequencies is None:
            return
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
