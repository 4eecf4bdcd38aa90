"""HorizontalPodAutoscalers of both versions; the older one is held to the rules of the newer."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.conversions.autoscalers import convert
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    each_invalid,
    if_given,
    invalid,
    not_negative,
    not_supported,
    required,
)
from orchestrator.resources.strategies._defaults import in_spec, spec_defaults
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._metric_validation import metric_problems
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, ValidateCreate, build

_LONGEST_WINDOW: Final = 3600
_LONGEST_PERIOD: Final = 1800
_CHOICES: Final = ("Disabled", "Max", "Min")
_UP: Final = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN: Final = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_FIRST_OLD_STATUS: Final = {"currentReplicas": 0, "desiredReplicas": 0}
_METRICS: Final = [
    {
        "type": "Resource",
        "resource": {
            "name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 80},
        },
    }
]


def strategy(kind: Kind) -> Strategy:
    """Build the rules of HorizontalPodAutoscalers in one of their versions."""
    newer = kind.version != "v1"
    return build(
        has_status=True,
        default=in_spec(_default_spec) if newer else spec_defaults(minReplicas=1),
        create_checks=(
            metadata_check(names.dns_subdomain, namespaced=True),
            _check if newer else _as_v2(_check),
        ),
        update_checks=(metadata_update_check(),),
        status_checks=(metadata_update_check(), _status),
        first_status={"desiredReplicas": 0} if newer else _FIRST_OLD_STATUS,
    )


def _as_v2(check: ValidateCreate) -> ValidateCreate:
    return lambda obj: check(convert(obj, "autoscaling/v2"))


def _default_spec(spec: Part) -> Part:
    spec = filled(spec, minReplicas=1)
    if not spec.get("metrics"):
        spec = {**spec, "metrics": _METRICS}
    return changed(spec, "behavior", _default_behavior)


def _default_behavior(behavior: Part) -> Part:
    behavior = filled(behavior, scaleUp={}, scaleDown={})
    behavior = changed(behavior, "scaleUp", lambda rules: filled(rules, **_UP))
    return changed(behavior, "scaleDown", lambda rules: filled(rules, **_DOWN))


def _check(obj: Object) -> list[FieldError]:
    spec: Part = obj.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    found: list[FieldError] = []
    if least is not None and least < 1:
        found.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        found.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        wrong = "must be greater than or equal to `minReplicas`"
        found.append(invalid("spec.maxReplicas", most, wrong))
    found += reference_problems(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for index, metric in enumerate(spec.get("metrics") or ()):
        found += metric_problems(metric, f"spec.metrics[{index}]", reference_problems)
    for field in ("scaleUp", "scaleDown"):
        if (rules := (spec.get("behavior") or {}).get(field)) is not None:
            found += _rules(rules, f"spec.behavior.{field}")
    return found


def reference_problems(reference: Part, at: str) -> list[FieldError]:
    """Check a reference to an object of any kind."""
    found: list[FieldError] = []
    for field in ("kind", "name"):
        value = reference.get(field) or ""
        if value:
            found += each_invalid(f"{at}.{field}", value, names.path_segment(value))
        else:
            found.append(required(f"{at}.{field}"))
    return found


def _rules(rules: Part, at: str) -> list[FieldError]:
    window = rules.get("stabilizationWindowSeconds")
    field = f"{at}.stabilizationWindowSeconds"
    found: list[FieldError] = []
    if window is not None and window < 0:
        found.append(invalid(field, window, "must be greater than or equal to zero"))
    if window is not None and window > _LONGEST_WINDOW:
        found.append(invalid(field, window, f"must be less than or equal to {_LONGEST_WINDOW}"))
    found += if_given(f"{at}.selectPolicy", rules.get("selectPolicy"), _CHOICES)
    policies = rules.get("policies") or ()
    if not policies:
        found.append(required(f"{at}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        found += _policy(policy, f"{at}.policies[{index}]")
    return found


def _policy(policy: Part, at: str) -> list[FieldError]:
    type_ = policy.get("type") or ""
    value, period = policy.get("value") or 0, policy.get("periodSeconds") or 0
    found: list[FieldError] = []
    if type_ not in {"Pods", "Percent"}:
        found.append(not_supported(f"{at}.type", type_, ("Percent", "Pods")))
    if value <= 0:
        found.append(invalid(f"{at}.value", value, "must be greater than zero"))
    if period <= 0:
        found.append(invalid(f"{at}.periodSeconds", period, "must be greater than zero"))
    if period > _LONGEST_PERIOD:
        wrong = f"must be less than or equal to {_LONGEST_PERIOD}"
        found.append(invalid(f"{at}.periodSeconds", period, wrong))
    return found


def _status(new: Object, _old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    return [
        problem
        for field in ("currentReplicas", "desiredReplicas")
        for problem in not_negative(f"status.{field}", status.get(field))
    ]
