"""Node affinity and node selectors: parsed once, asked about many nodes.

Source of the rules: k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Requirement(NamedTuple):
    """One expression of a node selector term."""

    key: str
    operator: str
    values: frozenset[str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a node with these labels satisfies the expression."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                have, want = _integer(value), _integer(next(iter(self.values), None))
                if have is None or want is None:
                    return False
                return have > want if self.operator == "Gt" else have < want
            case _:
                return False


class Term(NamedTuple):
    """A node selector term: all of its expressions and fields must match.

    A term that has none matches no node.
    """

    expressions: tuple[Requirement, ...]
    fields: tuple[Requirement, ...]

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Tell whether the term selects the node."""
        if not self.expressions and not self.fields:
            return False
        return all(expression.matches(labels) for expression in self.expressions) and all(
            field.matches({"metadata.name": name}) for field in self.fields
        )


class NodeSelection(NamedTuple):
    """Which nodes a pod may run on: its ``nodeSelector`` and one of the terms.

    Attributes:
        labels: Must all be on the node.
        terms: One must match; None where the pod has no required affinity.
        names: The only nodes that can match, where the terms name them; else None. DaemonSet pods
            say it that way, and it saves looking at all other nodes.
    """

    labels: tuple[tuple[str, str], ...]
    terms: tuple[Term, ...] | None
    names: frozenset[str] | None

    @property
    def selects(self) -> bool:
        """Whether there is a node that it could fail to match."""
        return bool(self.labels) or self.terms is not None

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Tell whether the pod may run on the node."""
        for key, value in self.labels:
            if labels.get(key) != value:
                return False
        return self.terms is None or any(term.matches(name, labels) for term in self.terms)


def selection_of(spec: Mapping[str, Any]) -> NodeSelection:
    """Parse what a pod spec demands of nodes."""
    labels = tuple(sorted((spec.get("nodeSelector") or {}).items()))
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return NodeSelection(labels, None, None)
    terms = tuple(
        Term(_requirements(term.get("matchExpressions")), _requirements(term.get("matchFields")))
        for term in required.get("nodeSelectorTerms") or ()
    )
    return NodeSelection(labels, terms, _names(terms))


def preferences_of(spec: Mapping[str, Any]) -> tuple[tuple[int, Term], ...]:
    """Parse preferred node affinity: weights and the terms they are for."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return tuple(
        (
            form["weight"],
            Term(
                _requirements((form.get("preference") or {}).get("matchExpressions")),
                _requirements((form.get("preference") or {}).get("matchFields")),
            ),
        )
        for form in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    )


def _requirements(forms: Any) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(form["key"], form["operator"], frozenset(form.get("values") or ()))
        for form in forms or ()
    )


def _names(terms: tuple[Term, ...]) -> frozenset[str] | None:
    """Return the nodes that the terms name, or None when some term names none."""
    names: set[str] = set()
    for term in terms:
        named = [
            field.values
            for field in term.fields
            if field.key == "metadata.name" and field.operator == "In"
        ]
        if not named:
            return None
        names |= frozenset.intersection(*named)
    return frozenset(names) if terms else None


def _integer(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
