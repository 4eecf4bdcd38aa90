"""Roles and ClusterRoles: what their rules have to name.

Source: pkg/apis/rbac/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import invalid, required
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import (
    Strategy,
    ValidateCreate,
    build,
)


def strategy(kind: Kind) -> Strategy:
    """Build the rules of roles in namespaces, or of those in the whole cluster."""
    return build(
        has_status=False,
        create_checks=(
            metadata_check(names.path_segment, namespaced=kind.namespaced),
            _rules(kind.namespaced),
        ),
        update_checks=(metadata_update_check(),),
        create_on_update=True,
    )


def _rules(namespaced: bool) -> ValidateCreate:
    def check(obj: Object) -> list[FieldError]:
        found: list[FieldError] = []
        for index, rule in enumerate(obj.get("rules") or ()):
            found += _rule(rule, f"rules[{index}]", namespaced)
        aggregation = obj.get("aggregationRule")
        if aggregation is None:
            return found
        selectors = aggregation.get("clusterRoleSelectors") or ()
        field = "aggregationRule.clusterRoleSelectors"
        if not selectors:
            why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            found.append(required(field, why))
        for index, selector in enumerate(selectors):
            found += label_selector_problems(f"{field}[{index}]", selector)
        return found

    return check


def _rule(rule: Part, at: str, namespaced: bool) -> list[FieldError]:
    found: list[FieldError] = []
    if not rule.get("verbs"):
        found.append(required(f"{at}.verbs", "verbs must contain at least one value"))
    groups, resources, named = (
        rule.get(field) or [] for field in ("apiGroups", "resources", "resourceNames")
    )
    paths = rule.get("nonResourceURLs")
    if paths:
        field = f"{at}.nonResourceURLs"
        if namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            found.append(invalid(field, paths, why))
        if groups or resources or named:
            why = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(invalid(field, paths, why))
        return found
    if not groups:
        why = "resource rules must supply at least one api group"
        found.append(required(f"{at}.apiGroups", why))
    if not resources:
        why = "resource rules must supply at least one resource"
        found.append(required(f"{at}.resources", why))
    return found
