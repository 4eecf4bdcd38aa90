"""What one pod class wants of the pods around it, with the counters that tell whether it gets it.

Two ways to ask. `orchestrator.scheduler.core.plugins` ask node by node. The fast path asks in two
steps: `Demands.locate` reduces a node to its *place*, all that the counters of the class have to do
with it, and nodes in one place get one answer from `Demands.admits` and the scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import compress
from operator import not_
from typing import Any, NamedTuple, TypeAlias

from orchestrator.records import dataclass
from orchestrator.resources.selectors import NOTHING
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.counters import (
    ATTRACTS,
    NODE,
    PREFERS,
    REPELS,
    Counter,
    Domains,
    MatchCounter,
    OwnerCounter,
    SpreadCounter,
    matches_all,
    spread_part,
)
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.terms import HOSTNAME, ZONE, Spread, Term
from orchestrator.scheduler.core.topology import Topology

Place: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class TopologySettings:
    """What a profile says about spread and affinity.

    Attributes:
        defaults: Constraints for pods that have none, without selectors.
        system: They are upstream's own: nodes without one of their keys still take part.
        hard_weight: What the required affinity of pods that are there is worth in the score of a
            pod that matches it.
        own_preferred_only: What pods that are there prefer does not count.
        spread_filters: Hard constraints hold.
        spread_scores: Soft constraints count.
        affinity_filters: Required affinity holds.
        affinity_scores: Preferred affinity counts.
    """

    defaults: tuple[Spread, ...] = (
        Spread(HOSTNAME, 3, False, NOTHING, 1, True, False),
        Spread(ZONE, 5, False, NOTHING, 1, True, False),
    )
    system: bool = True
    hard_weight: int = 1
    own_preferred_only: bool = False
    spread_filters: bool = True
    spread_scores: bool = True
    affinity_filters: bool = True
    affinity_scores: bool = True


DEFAULT_SETTINGS = TopologySettings()


class HardSpread(NamedTuple):
    """A constraint that must hold.

    Attributes:
        counter: Of the pods it is about.
        spread: The constraint.
        own: 1 when a pod of the class counts itself.
    """

    counter: SpreadCounter
    spread: Spread
    own: int

    def allows(self, count: int) -> bool:
        """Tell whether one more pod may go to a domain that has so many."""
        counter, spread, own = self
        lowest = 0 if len(counter.counts) < spread.min_domains else counter.lowest()
        return count + own - lowest <= spread.max_skew


class SoftSpread(NamedTuple):
    """A constraint that only counts in the score."""

    counter: SpreadCounter
    spread: Spread


class Scored(NamedTuple):
    """A counter whose count is worth something, or costs it."""

    counter: Counter
    weight: int


class _Reader(NamedTuple):
    """Where a place holds what a counter says: the count itself, or the domain to look up."""

    position: int
    counts: dict[str, int] | None

    def read(self, place: Place) -> int:
        value = place[self.position]
        if self.counts is None:
            return value or 0
        return self.counts.get(value, 0)


class Demands:
    """The demands of a class on a topology; made by `demands_of`.

    Attributes:
        hard: Constraints that must hold.
        soft: Constraints that count in the score.
        soft_keys: Labels a node must have for its soft constraints to count at all.
        attracted: One counter for each required affinity term, of pods that match all of them.
        matches_itself: Pods of the class match their own required affinity terms.
        repelled: Counters of pods that the class stays away from.
        repelling: Counters of pods that stay away from the class.
        scored: What attracts it to a node, or repels it, without being required.
        admits_all: Whatever a place is, nothing in it keeps the class away.
    """

    def __init__(self, pod: PodClass, topology: Topology, settings: TopologySettings) -> None:
        self._held: list[Counter] = []
        self._era = topology.era
        spreads, system = _spreads(pod, settings)
        self.soft_keys: tuple[str, ...] = ()
        spreads = [
            spread
            for spread in spreads
            if (settings.spread_filters if spread.hard else settings.spread_scores)
        ]
        self._make_spreads(pod, topology, spreads, system=system)
        self.attracted: tuple[MatchCounter, ...] = ()
        self.matches_itself = False
        self.repelled: tuple[MatchCounter, ...] = ()
        self.repelling: tuple[OwnerCounter, ...] = ()
        self.scored: tuple[Scored, ...] = ()
        owners = sorted(topology.owners(pod), key=_owner_order)
        if settings.affinity_filters:
            self._make_filters(pod, topology, owners)
        if settings.affinity_scores:
            self._make_scores(pod, topology, owners, settings)
        self._compile()

    def _make_filters(
        self, pod: PodClass, topology: Topology, owners: Sequence[OwnerCounter]
    ) -> None:
        affinity = pod.affinity
        self.attracted = tuple(
            self._hold(topology.matching(affinity.attracted, term.key))
            for term in affinity.attracted
        )
        self.matches_itself = bool(affinity.attracted) and matches_all(
            affinity.attracted, pod, topology.spaces
        )
        self.repelled = tuple(
            self._hold(topology.matching((term,), term.key)) for term in affinity.repelled
        )
        self.repelling = tuple(self._hold(counter) for counter in owners if counter.role == REPELS)

    def _make_scores(
        self,
        pod: PodClass,
        topology: Topology,
        owners: Sequence[OwnerCounter],
        settings: TopologySettings,
    ) -> None:
        affinity = pod.affinity
        scored = [
            Scored(self._hold(topology.matching((term,), term.key)), weight)
            for weight, term in affinity.preferred
        ]
        if not settings.own_preferred_only or affinity.preferred:
            scored += [
                Scored(self._hold(counter), 1) for counter in owners if counter.role == PREFERS
            ]
            if settings.hard_weight:
                scored += [
                    Scored(self._hold(counter), settings.hard_weight)
                    for counter in owners
                    if counter.role == ATTRACTS
                ]
        self.scored = tuple(scored)

    def _make_spreads(
        self,
        pod: PodClass,
        topology: Topology,
        spreads: Sequence[Spread],
        *,
        system: bool,
    ) -> None:
        hard = [spread for spread in spreads if spread.hard]
        soft = [spread for spread in spreads if not spread.hard]
        keys = tuple(sorted({spread.key for spread in hard}))
        self.hard: tuple[HardSpread, ...] = tuple(
            HardSpread(
                self._hold(topology.spreading(spread_part(pod, spread, keys), spread.key)),
                spread,
                int(spread.selector.matches(pod.labels)),
            )
            for spread in hard
        )
        if not system:
            self.soft_keys = tuple(sorted({spread.key for spread in soft}))
        made = []
        for spread in soft:
            part = spread_part(pod, spread, self.soft_keys)
            if spread.key == HOSTNAME:
                # The pods of the node itself, whoever else has its hostname and takes part.
                part = part._replace(keys=(), selection=None, tolerations=None)
                counter = topology.spreading(part, NODE)
            else:
                counter = topology.spreading(part, spread.key)
            made.append(SoftSpread(self._hold(counter), spread))
        self.soft: tuple[SoftSpread, ...] = tuple(made)

    def _hold(self, counter: Any) -> Any:
        counter.users += 1
        self._held.append(counter)
        return counter

    def acquire(self) -> None:
        """Keep the counters alive, until `release`."""
        for counter in self._held:
            counter.users += 1

    def release(self) -> None:
        """Undo one `acquire`; a new object begins acquired once."""
        for counter in self._held:
            counter.users -= 1

    @property
    def empty(self) -> bool:
        """Whether other pods do not matter at all."""
        return not self._held

    def signature(self) -> tuple[Any, ...]:
        """Return what tells demands apart; equal for demands that always get equal answers."""
        return (
            tuple((id(part.counter), part.spread, part.own) for part in self.hard),
            tuple((id(part.counter), part.spread) for part in self.soft),
            self.soft_keys,
            tuple(map(id, self.attracted)),
            self.matches_itself,
            tuple(map(id, self.repelled)),
            tuple(map(id, self.repelling)),
            tuple((id(counter), weight) for counter, weight in self.scored),
            tuple(domains.coarse for domains in self._all_domains),
            self._era,
        )

    # ---- node by node

    def finds_company(self, node: NodeState) -> bool:
        """Tell whether required affinity holds on a node."""
        if not self.attracted:
            return True
        found = True
        for counter in self.attracted:
            domain = counter.domains.value(node)
            if domain is None:
                return False
            found = found and counter.counts.get(domain, 0) > 0
        return found or self.is_first

    @property
    def is_first(self) -> bool:
        """Whether nobody whom required affinity is about is anywhere, but the pod itself is."""
        return self.matches_itself and not any(counter.total for counter in self.attracted)

    # ---- by place

    def _compile(self) -> None:
        """Lay out what a place holds."""
        self._all_domains: tuple[Domains, ...] = tuple(
            dict.fromkeys(counter.domains for counter in self._held)
        )
        coarse: dict[str, Domains] = {}
        for counter in self._held:
            if counter.domains.coarse:
                coarse[counter.domains.key] = counter.domains
        for part in self.soft:  # how many domains there are counts, so each is told apart
            if part.counter.domains.key != NODE:
                coarse[part.counter.domains.key] = part.counter.domains
        self._coarse = tuple(coarse.values())
        position = {key: index for index, key in enumerate(coarse)}
        self._fine: list[Counter] = []

        def reader(counter: Counter) -> _Reader:
            found = position.get(counter.domains.key)
            if found is not None:
                return _Reader(found, counter.counts)
            self._fine.append(counter)
            return _Reader(len(coarse) + len(self._fine) - 1, None)

        self._hard_readers = tuple((part, reader(part.counter)) for part in self.hard)
        self._soft_readers = tuple(reader(part.counter) for part in self.soft)
        # Where a place holds what, the counts to look up if that is a domain, what is added for
        # tolerance, and whether each node is a domain of its own.
        self._soft_parts = tuple(
            (
                reader.position,
                reader.counts,
                part.spread.max_skew - 1,
                part.counter.domains.key == NODE,
            )
            for part, reader in zip(self.soft, self._soft_readers, strict=True)
        )
        self._company_readers = tuple(reader(counter) for counter in self.attracted)
        both = (*self.repelled, *self.repelling)
        self._coarse_repelled = tuple(
            reader(counter) for counter in both if counter.domains.key in position
        )
        self._fine_repelled = tuple(
            counter for counter in both if counter.domains.key not in position
        )
        self._coarse_scored = tuple(
            (reader(counter), weight)
            for counter, weight in self.scored
            if counter.domains.key in position
        )
        self._fine_scored = tuple(
            (counter, weight)
            for counter, weight in self.scored
            if counter.domains.key not in position
        )
        self._needed = tuple(
            dict.fromkeys(
                [part.spread.key for part in self.hard]
                + [counter.domains.key for counter in self.attracted]
            )
        )
        self._score_at = len(coarse) + len(self._fine)
        self._fine_tables = tuple((counter.domains.key, counter.counts) for counter in self._fine)
        self.admits_all = not (self._coarse_repelled or self._hard_readers or self._company_readers)

    def locate(self, node: NodeState) -> Place | None:
        """Return a node's place; None where the class cannot go whatever else changes.

        Changes when a count on a fine key changes in the node's domain, or the node's labels do.
        """
        labels = node.labels
        for key in self._needed:
            if key not in labels:
                return None
        for counter in self._fine_repelled:
            domain = counter.domains.value(node)
            if domain is not None and counter.counts.get(domain):
                return None
        return self.place_of(node)

    def place_of(self, node: NodeState) -> Place:
        """Return the place of a node that is known to be feasible."""
        labels = node.labels
        place: list[Any] = [domains.value(node) for domains in self._coarse]
        for key, counts in self._fine_tables:
            domain = (node.name if HOSTNAME in labels else None) if key == NODE else labels.get(key)
            place.append(None if domain is None else counts.get(domain, 0))
        if self._fine_scored:
            place.append(sum(counter.on(node) * weight for counter, weight in self._fine_scored))
        else:
            place.append(0)
        place.append(not self.soft_keys or all(key in labels for key in self.soft_keys))
        return tuple(place)

    def admits(self, place: Place) -> bool:
        """Tell whether nodes in a place are feasible as far as other pods matter."""
        for reader in self._coarse_repelled:
            if reader.read(place):
                return False
        for part, reader in self._hard_readers:
            if not part.allows(reader.read(place)):
                return False
        if self._company_readers:
            return all(reader.read(place) for reader in self._company_readers) or self.is_first
        return True

    def attraction(self, place: Place) -> int:
        """Return the raw score of InterPodAffinity."""
        total: int = place[self._score_at]
        for reader, weight in self._coarse_scored:
            total += weight * reader.read(place)
        return total

    def crowding(self, places: Sequence[Place], sizes: Sequence[int]) -> list[int | None]:
        """Return the raw scores of PodTopologySpread for nodes in some places.

        Args:
            places: Of all feasible nodes.
            sizes: How many nodes are in each of them.

        Returns:
            A score for each place; None where a node has no say in it.
        """
        crowds = [0.0] * len(places)
        ignored = [not place[-1] for place in places] if self.soft_keys else None
        for position, counts, offset, is_node in self._soft_parts:
            values = [place[position] for place in places]
            if is_node:
                size = sum(sizes)
                if ignored is not None:
                    size -= sum(compress(sizes, ignored))
            elif ignored is not None:
                size = len(set(compress(values, map(not_, ignored))))
            else:
                # Upstream counts the nodes without the label as one more domain, named "".
                size = len(set(values))
            weight = math.log(size + 2)
            for index, value in enumerate(values):
                if value is not None:
                    count = value if counts is None else counts.get(value, 0)
                    crowds[index] += count * weight + offset
        if ignored is None:
            return [int(crowd + 0.5) for crowd in crowds]
        return [
            None if out else int(crowd + 0.5) for crowd, out in zip(crowds, ignored, strict=True)
        ]


def demands_of(
    pod: PodClass, topology: Topology, settings: TopologySettings = DEFAULT_SETTINGS
) -> Demands | None:
    """Return the demands of a class; None when other pods do not matter to it."""
    demands = Demands(pod, topology, settings)
    return None if demands.empty else demands


def _spreads(pod: PodClass, settings: TopologySettings) -> tuple[Sequence[Spread], bool]:
    """Return a class's constraints, and whether they are upstream's defaults."""
    if pod.spreads:
        return pod.spreads, False
    selector = pod.default_selector
    if selector.nothing or selector.empty:
        return (), False
    return [spread._replace(selector=selector) for spread in settings.defaults], settings.system


def _owner_order(counter: OwnerCounter) -> tuple[str, str, str]:
    term: Term = counter.term
    return counter.role, term.key, repr(term.selector)
