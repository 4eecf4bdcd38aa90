"""ClusterRoles that are put together out of others. Pure.

Rules: k8s.io/kubernetes/pkg/controller/clusterroleaggregation.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.resources.objects import Object, labels_of, name_of
from orchestrator.resources.rbac.rules import Rule
from orchestrator.resources.selectors import label_selector


def aggregated_rules(role: Object, roles: Iterable[Object]) -> list[Rule] | None:
    """Return the rules that an aggregated ClusterRole has to have; None: it is not aggregated.

    Args:
        role: The ClusterRole.
        roles: All ClusterRoles.
    """
    aggregation = role.get("aggregationRule")
    if aggregation is None:
        return None
    ordered = sorted(roles, key=name_of)
    rules: list[Rule] = []
    for selector in aggregation.get("clusterRoleSelectors") or ():
        matcher = label_selector(selector)
        for other in ordered:
            if name_of(other) == name_of(role) or not matcher.matches(labels_of(other)):
                continue
            rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules
