"""What a pod demands of the pods around it: affinity terms and spread constraints, parsed once.

Source of the rules: ``GetAffinityTerms`` in the scheduler's framework, and the filters of
PodTopologySpread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.resources.selectors import LabelSelector, Requirement, label_selector

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class Term(NamedTuple):
    """One pod affinity or anti-affinity term; equal terms are the same demand.

    Attributes:
        key: The topology key: pods count together on nodes that have the same value of it.
        selector: The labels of the pods that are meant.
        namespaces: The namespaces they are in.
        namespace_selector: Further namespaces, by their labels; None for no further ones.
    """

    key: str
    selector: LabelSelector
    namespaces: frozenset[str]
    namespace_selector: LabelSelector | None

    def matches(
        self, namespace: str, labels: Mapping[str, str], namespace_labels: Mapping[str, str]
    ) -> bool:
        """Tell whether a pod is meant.

        Args:
            namespace: Of the pod.
            labels: Of the pod.
            namespace_labels: Of its namespace.
        """
        if namespace not in self.namespaces and (
            self.namespace_selector is None or not self.namespace_selector.matches(namespace_labels)
        ):
            return False
        return self.selector.matches(labels)


class Weighted(NamedTuple):
    """A preferred term; the weight is negative where the pod would rather stay away."""

    weight: int
    term: Term


class PodAffinity(NamedTuple):
    """All terms of a pod.

    Attributes:
        attracted: Required affinity: pods that match every one of these must be there.
        repelled: Required anti-affinity: no pod may be there that matches one of these.
        preferred: Preferred affinity, and anti-affinity with a negative weight.
    """

    attracted: tuple[Term, ...]
    repelled: tuple[Term, ...]
    preferred: tuple[Weighted, ...]


NO_AFFINITY = PodAffinity((), (), ())


class Spread(NamedTuple):
    """One topology spread constraint.

    Attributes:
        key: The topology key.
        max_skew: How many more pods a domain may have than the emptiest one.
        hard: ``DoNotSchedule``; else it only counts in the score.
        selector: The pods that count, in the pod's own namespace.
        min_domains: With fewer domains than this the emptiest one counts as empty; at least 1.
        honor_affinity: Only nodes that the pod's node affinity selects count.
        honor_taints: Only nodes whose taints the pod tolerates count.
    """

    key: str
    max_skew: int
    hard: bool
    selector: LabelSelector
    min_domains: int
    honor_affinity: bool
    honor_taints: bool


def affinity_of(spec: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> PodAffinity:
    """Parse a pod's affinity to other pods.

    Args:
        spec: Of the pod.
        namespace: Of the pod: where a term means pods that names no namespace.
        labels: Of the pod, for ``matchLabelKeys`` and ``mismatchLabelKeys``.
    """
    affinity = spec.get("affinity")
    if not affinity:
        return NO_AFFINITY
    towards, away = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    if not towards and not away:
        return NO_AFFINITY

    def terms(forms: Sequence[Mapping[str, Any]] | None) -> tuple[Term, ...]:
        return tuple(_term(form, namespace, labels) for form in forms or ())

    preferred = [
        Weighted(sign * form["weight"], _term(form["podAffinityTerm"], namespace, labels))
        for sign, part in ((1, towards), (-1, away))
        for form in part.get(_PREFERRED) or ()
    ]
    return PodAffinity(terms(towards.get(_REQUIRED)), terms(away.get(_REQUIRED)), tuple(preferred))


def spreads_of(spec: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[Spread, ...]:
    """Parse a pod's topology spread constraints."""
    return tuple(
        spread_of(form, _with_keys(label_selector(form.get("labelSelector")), form, labels))
        for form in spec.get("topologySpreadConstraints") or ()
    )


def spread_of(form: Mapping[str, Any], selector: LabelSelector) -> Spread:
    """Parse one constraint, of a pod or a profile, for the pods that ``selector`` matches."""
    return Spread(
        key=form.get("topologyKey") or "",
        max_skew=form.get("maxSkew") or 1,
        hard=form.get("whenUnsatisfiable") == "DoNotSchedule",
        selector=selector,
        min_domains=form.get("minDomains") or 1,
        honor_affinity=form.get("nodeAffinityPolicy") != "Ignore",
        honor_taints=form.get("nodeTaintsPolicy") == "Honor",
    )


def _term(form: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> Term:
    namespaces, selected = form.get("namespaces"), form.get("namespaceSelector")
    own = () if namespaces or selected is not None else (namespace,)
    return Term(
        form.get("topologyKey") or "",
        _with_keys(label_selector(form.get("labelSelector")), form, labels),
        frozenset(namespaces or own),
        None if selected is None else label_selector(selected),
    )


def _with_keys(
    selector: LabelSelector, form: Mapping[str, Any], labels: Mapping[str, str]
) -> LabelSelector:
    """Add what ``matchLabelKeys`` says; the API server has done so for pods that came through it.

    Doing it again changes nothing. Keys that the pod has no label for are ignored, and a selector
    that matches nothing goes on matching nothing.
    """
    matched, mismatched = form.get("matchLabelKeys") or (), form.get("mismatchLabelKeys") or ()
    if not (matched or mismatched) or selector.nothing:
        return selector
    added = [Requirement(key, "in", (labels[key],)) for key in matched if key in labels]
    added += [Requirement(key, "notin", (labels[key],)) for key in mismatched if key in labels]
    new = [requirement for requirement in added if requirement not in selector.requirements]
    return LabelSelector((*selector.requirements, *new)) if new else selector
