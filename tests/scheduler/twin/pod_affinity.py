"""InterPodAffinity: pods that want, or do not want, certain other pods near them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.resources.selectors import LabelSelector, Requirement, label_selector
from tests.scheduler.twin.nodes import PREFERRED, REQUIRED, affinity
from tests.scheduler.twin.plugin import Plugin, Rejection
from tests.scheduler.twin.snapshot import Object, Snapshot, find, labels, name, namespace


class Term(NamedTuple):
    """A term of a pod's affinity, and the pod whose it is."""

    form: Object
    owner: Object

    @property
    def key(self) -> str:
        """The topology key: what *near* means."""
        return str(self.form["topologyKey"])

    def means(self, pod: Object, snapshot: Snapshot) -> bool:
        """Tell whether the term is about a pod: by namespace, and by labels."""
        namespaces = self.form.get("namespaces") or ()
        chosen = self.form.get("namespaceSelector")
        if not namespaces and chosen is None:
            namespaces = (namespace(self.owner),)
        if namespace(pod) not in namespaces:
            space = find(snapshot.namespaces, namespace(pod))
            if chosen is None or not label_selector(chosen).matches(labels(space) if space else {}):
                return False
        return self._selector().matches(labels(pod))

    def _selector(self) -> LabelSelector:
        """Return the selector, with the owner's own labels where the term asks for them.

        The API server merges these when the pod is created, which makes no difference here.
        """
        if self.form.get("labelSelector") is None:
            return label_selector(None)
        own = labels(self.owner)
        added = [
            Requirement(key, "in" if field == "matchLabelKeys" else "notin", (own[key],))
            for field in ("matchLabelKeys", "mismatchLabelKeys")
            for key in self.form.get(field) or ()
            if key in own
        ]
        return LabelSelector([*label_selector(self.form["labelSelector"]).requirements, *added])


class InterPodAffinity(Plugin):
    """Required terms reject nodes, of the pod and of those there; preferred ones are scored."""

    name = "InterPodAffinity"

    def filter(self, node: Object) -> Rejection | None:
        if not self._is_attracted(node):
            return self.rejection("node(s) didn't match pod affinity rules", resolvable=False)
        if any(
            self._near(node, other, term.key) and term.means(pod, self.snapshot)
            for term in required(self.pod, "podAntiAffinity")
            for other, pod in self._there()
        ):
            return self.rejection("node(s) didn't match pod anti-affinity rules", resolvable=True)
        if any(
            self._near(node, other, term.key) and term.means(self.pod, self.snapshot)
            for other, pod in self._there()
            for term in required(pod, "podAntiAffinity")
        ):
            return self.rejection(
                "node(s) didn't satisfy existing pods anti-affinity rules", resolvable=True
            )
        return None

    def _is_attracted(self, node: Object) -> bool:
        """Tell whether each required term has a pod near the node that all of them mean."""
        terms = required(self.pod, "podAffinity")
        if any(term.key not in labels(node) for term in terms):
            return False
        meant = [
            other
            for other, pod in self._there()
            if all(term.means(pod, self.snapshot) for term in terms)
        ]
        if all(any(self._near(node, other, term.key) for other in meant) for term in terms):
            return True
        # The first pod of a series that wants to be near itself must start somewhere.
        none_anywhere = not any(term.key in labels(other) for term in terms for other in meant)
        return none_anywhere and all(term.means(self.pod, self.snapshot) for term in terms)

    def scores(self, feasible: Sequence[Object]) -> dict[str, int] | None:
        mine = preferred(self.pod)
        worth: dict[tuple[str, str], int] = {}
        for node, pod in self._there():
            points = [(weight, term) for weight, term in mine if term.means(pod, self.snapshot)]
            if mine or not self.profile.ignore_preferred_terms_of_others:
                theirs = preferred(pod)
                if self.profile.hard_affinity_weight > 0:
                    theirs += [
                        (self.profile.hard_affinity_weight, term)
                        for term in required(pod, "podAffinity")
                    ]
                points += [
                    (weight, term) for weight, term in theirs if term.means(self.pod, self.snapshot)
                ]
            for weight, term in points:
                if term.key in labels(node):
                    domain = (term.key, labels(node)[term.key])
                    worth[domain] = worth.get(domain, 0) + weight
        if not worth:
            return None
        raw = {
            name(node): sum(worth.get(pair, 0) for pair in labels(node).items())
            for node in feasible
        }
        lowest, highest = min(raw.values()), max(raw.values())
        if highest == lowest:
            return dict.fromkeys(raw, 0)
        return {
            node: int(100.0 * (float(score - lowest) / float(highest - lowest)))
            for node, score in raw.items()
        }

    def _there(self) -> list[tuple[Object, Object]]:
        """Return every pod on a node, with that node."""
        return [(node, pod) for node in self.snapshot.nodes for pod in self.snapshot.pods_on(node)]

    @staticmethod
    def _near(one: Object, other: Object, key: str) -> bool:
        """Tell whether two nodes are in one domain of a topology."""
        return key in labels(one) and labels(one)[key] == labels(other).get(key)


def required(pod: Object, kind: str) -> list[Term]:
    """Return a pod's required terms of ``podAffinity`` or ``podAntiAffinity``."""
    return [Term(form, pod) for form in affinity(pod, kind).get(REQUIRED) or ()]


def preferred(pod: Object) -> list[tuple[int, Term]]:
    """Return a pod's preferred terms; what it would rather not have near weighs negatively."""
    return [
        (sign * form["weight"], Term(form["podAffinityTerm"], pod))
        for sign, kind in ((1, "podAffinity"), (-1, "podAntiAffinity"))
        for form in affinity(pod, kind).get(PREFERRED) or ()
    ]
