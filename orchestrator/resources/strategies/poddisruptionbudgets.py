"""PodDisruptionBudgets."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import if_given, invalid, not_negative
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._percentages import at_most_all, int_or_percent
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import Strategy, build

_POLICIES: Final = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS: Final = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of PodDisruptionBudgets."""
    return build(
        has_status=True,
        generation=True,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(),),
        status_checks=(metadata_update_check(), _status),
        first_status=dict.fromkeys(_COUNTS, 0),
    )


def _spec(obj: Object) -> list[FieldError]:
    spec: Part = obj.get("spec") or {}
    found: list[FieldError] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        wrong = "minAvailable and maxUnavailable cannot be both set"
        found.append(invalid("spec", spec, wrong))
    for field in ("minAvailable", "maxUnavailable"):
        value = spec.get(field)
        found += int_or_percent(f"spec.{field}", value)
        found += at_most_all(f"spec.{field}", value)
    if (selector := spec.get("selector")) is not None:
        found += label_selector_problems("spec.selector", selector)
    policy = spec.get("unhealthyPodEvictionPolicy")
    return found + if_given("spec.unhealthyPodEvictionPolicy", policy, _POLICIES)


def _status(new: Object, _old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    return [
        problem
        for field in _COUNTS
        for problem in not_negative(f"status.{field}", status.get(field))
    ]
