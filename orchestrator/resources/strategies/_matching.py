"""What webhooks and policies match: rules, selectors and conditions.

Source: pkg/apis/admissionregistration/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    if_given,
    invalid,
    not_supported,
    required,
    too_many,
)
from orchestrator.resources.strategies._expressions import Surroundings, expression_problems
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._sharing import Part, changed, each, filled

FAILURE_POLICIES: Final = ("Fail", "Ignore")
MATCH_POLICIES: Final = ("Equivalent", "Exact")
REINVOCATION_POLICIES: Final = ("IfNeeded", "Never")
_SCOPES: Final = ("*", "Cluster", "Namespaced")
_OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_CONDITIONS: Final = 64


def default_rule(rule: Part) -> Part:
    """Default what a rule matches."""
    return filled(rule, scope="*")


def default_match(match: Part) -> Part:
    """Default what a policy or a binding matches."""
    match = filled(match, matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})
    for field in ("resourceRules", "excludeResourceRules"):
        match = changed(match, field, each(default_rule))
    return match


def rule_problems(rule: Part, at: str) -> list[FieldError]:
    """Check a rule with operations."""
    operations = rule.get("operations") or []
    found = [] if operations else [required(f"{at}.operations")]
    if len(operations) > 1 and "*" in operations:
        why = "if '*' is present, must not specify other operations"
        found.append(invalid(f"{at}.operations", operations, why))
    found += [
        not_supported(f"{at}.operations[{index}]", operation, _OPERATIONS)
        for index, operation in enumerate(operations)
        if operation not in _OPERATIONS
    ]
    for field, others in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        given = rule.get(field) or []
        if not given:
            found.append(required(f"{at}.{field}"))
        if len(given) > 1 and "*" in given:
            why = f"if '*' is present, must not specify other {others}"
            found.append(invalid(f"{at}.{field}", given, why))
    found += [
        required(f"{at}.apiVersions[{index}]")
        for index, version in enumerate(rule.get("apiVersions") or ())
        if not version
    ]
    found += _resources(rule.get("resources") or [], f"{at}.resources")
    return found + if_given(f"{at}.scope", rule.get("scope"), _SCOPES)


def _resources(resources: list[str], at: str) -> list[FieldError]:
    found = [] if resources else [required(at)]
    whole: set[str] = set()
    everywhere: set[str] = set()
    plain = False
    for index, text in enumerate(resources):
        field = f"{at}[{index}]"
        if not text:
            found.append(required(field))
            continue
        resource, slash, part = text.partition("/")
        if not slash:
            plain = text != "*"
            continue
        if resource in whole:
            why = f"if '{resource}/*' is present, must not specify {text}"
            found.append(invalid(field, text, why))
        if part in everywhere:
            why = f"if '*/{part}' is present, must not specify {text}"
            found.append(invalid(field, text, why))
        if part == "*":
            whole.add(resource)
        if resource == "*":
            everywhere.add(part)
    if len(resources) > 1 and "*/*" in resources:
        why = "if '*/*' is present, must not specify other resources"
        found.append(invalid(at, resources, why))
    if "*" in resources and plain:
        why = "if '*' is present, must not specify other resources without subresources"
        found.append(invalid(at, resources, why))
    return found


def condition_problems(conditions: list[Part] | None, at: str, *, params: bool) -> list[FieldError]:
    """Check match conditions."""
    given = conditions or []
    found = [too_many(at, len(given), _CONDITIONS)] if len(given) > _CONDITIONS else []
    seen: set[str] = set()
    for index, condition in enumerate(given):
        here = f"{at}[{index}]"
        expression = (condition.get("expression") or "").strip()
        if expression:
            around = Surroundings(params=params)
            found += expression_problems(f"{here}.expression", expression, "condition", around)
        else:
            found.append(required(f"{here}.expression"))
        name = condition.get("name") or ""
        if not name:
            found.append(required(f"{here}.name"))
            continue
        found += each_invalid(f"{here}.name", name, names.qualified_name(name))
        if name in seen:
            found.append(duplicate(f"{here}.name", name))
        seen.add(name)
    return found


def match_problems(match: Part, at: str) -> list[FieldError]:
    """Check what a policy or a binding matches."""
    policy = match.get("matchPolicy")
    found: list[FieldError] = []
    if policy is None:
        found.append(required(f"{at}.matchPolicy"))
    found += if_given(f"{at}.matchPolicy", policy, MATCH_POLICIES)
    for field in ("namespaceSelector", "objectSelector"):
        selector = match.get(field)
        if selector is None:
            found.append(required(f"{at}.{field}"))
        else:
            found += label_selector_problems(f"{at}.{field}", selector)
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(field) or ()):
            here = f"{at}.{field}[{index}]"
            found += _names(rule.get("resourceNames") or [], f"{here}.resourceNames")
            found += rule_problems(rule, here)
    return found


def _names(given: list[str], at: str) -> list[FieldError]:
    found: list[FieldError] = []
    for index, name in enumerate(given):
        field = f"{at}[{index}]"
        found += each_invalid(field, name, names.path_segment(name))
        if name in given[:index]:
            found.append(duplicate(field, name))
    return found
