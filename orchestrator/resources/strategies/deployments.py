"""Deployments."""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._problems import (
    forbidden,
    invalid,
    not_negative,
    not_supported,
)
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies._workloads import (
    replica_checks,
    selector_checks,
    selector_unchanged,
    template_checks,
)

_PERCENT: Final = re.compile("[0-9]+%", re.ASCII)
PERCENT_WRONG: Final = names.pattern_message(
    "a valid percent string must be a numeric string followed by an ending '%'",
    "[0-9]+%",
    "1%",
    "93%",
)


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Deployments."""
    return build(
        has_status=True,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(), selector_unchanged),
        first_status={},
    )


def _default(obj: Object) -> Object:
    return changed(obj, "spec", _default_spec)


def _default_spec(spec: Part) -> Part:
    spec = filled(
        spec, replicas=1, strategy={}, revisionHistoryLimit=10, progressDeadlineSeconds=600
    )
    spec = changed(spec, "strategy", _default_strategy)
    return changed(spec, "template", default_template)


def _default_strategy(strategy: Part) -> Part:
    strategy = strategy if strategy.get("type") else {**strategy, "type": "RollingUpdate"}
    if strategy["type"] != "RollingUpdate":
        return strategy
    strategy = filled(strategy, rollingUpdate={})
    return changed(
        strategy,
        "rollingUpdate",
        lambda rolling: filled(rolling, maxUnavailable="25%", maxSurge="25%"),
    )


def _spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = [
        *replica_checks(spec, "spec"),
        *selector_checks(spec, "spec", "deployment"),
        *template_checks(spec, "spec", "Deployment"),
        *_strategy(spec.get("strategy") or {}, "spec.strategy"),
        *not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit")),
    ]
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        found += not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= (spec.get("minReadySeconds") or 0):
            found.append(
                invalid(
                    "spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"
                )
            )
    return found


def _strategy(strategy: Part, at: str) -> list[FieldError]:
    type_ = strategy.get("type")
    rolling = strategy.get("rollingUpdate")
    if type_ == "Recreate":
        if rolling is None:
            return []
        return [
            forbidden(
                f"{at}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"
            )
        ]
    if type_ != "RollingUpdate":
        return [not_supported(f"{at}.type", type_, ("Recreate", "RollingUpdate"))]
    unavailable = (rolling or {}).get("maxUnavailable", 0)
    surge = (rolling or {}).get("maxSurge", 0)
    found = [
        *int_or_percent(f"{at}.rollingUpdate.maxUnavailable", unavailable),
        *int_or_percent(f"{at}.rollingUpdate.maxSurge", surge),
    ]
    if not found and _number(unavailable) == 0 and _number(surge) == 0:
        found.append(
            invalid(
                f"{at}.rollingUpdate.maxUnavailable",
                unavailable,
                "may not be 0 when `maxSurge` is 0",
            )
        )
    if not found and isinstance(unavailable, str) and _number(unavailable) > 100:
        found.append(
            invalid(
                f"{at}.rollingUpdate.maxUnavailable", unavailable, "must not be greater than 100%"
            )
        )
    return found


def int_or_percent(field: str, value: Any) -> list[FieldError]:
    """Check an IntOrString that must be a count or a percentage."""
    if isinstance(value, str):
        return [] if _PERCENT.fullmatch(value) else [invalid(field, value, PERCENT_WRONG)]
    return not_negative(field, value)


def _number(value: int | str) -> int:
    return int(value.rstrip("%")) if isinstance(value, str) else value
