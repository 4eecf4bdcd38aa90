"""Label keys in affinities whose values come from the pod itself: merged with the selectors.

Source: mutatePodAffinity in pkg/registry/core/pod/strategy.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._sharing import Part, changed, each

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def with_label_keys(pod: Object) -> Object:
    """Return a new pod whose affinities select by its own labels where they ask for that."""
    affinity = (pod.get("spec") or {}).get("affinity")
    if not affinity:
        return pod
    labels: dict[str, str] = (pod.get("metadata") or {}).get("labels") or {}

    def merged(term: Part) -> Part:
        return _merged(term, labels)

    def weighted(one: Part) -> Part:
        return changed(one, "podAffinityTerm", merged)

    for field in ("podAffinity", "podAntiAffinity"):
        affinity = changed(
            affinity,
            field,
            lambda terms: changed(
                changed(terms, _REQUIRED, each(merged)), _PREFERRED, each(weighted)
            ),
        )
    return changed(pod, "spec", lambda spec: changed(spec, "affinity", lambda _: affinity))


def _merged(term: Part, labels: dict[str, str]) -> Part:
    selector = term.get("labelSelector")
    if selector is None:
        return term
    added = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(field) or ()
        if key in labels
    ]
    if not added:
        return term
    expressions = [*(selector.get("matchExpressions") or ()), *added]
    return {**term, "labelSelector": {**selector, "matchExpressions": expressions}}
