"""Bindings of validating and mutating admission policies.

Source: pkg/apis/admissionregistration/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    one_listed,
    required,
)
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._matching import default_match, match_problems
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, changed
from orchestrator.resources.strategies._strategy import Strategy, build

_ACTIONS: Final = ("Audit", "Deny", "Warn")
_NOT_FOUND: Final = ("Deny", "Allow")
_EXCLUSIVE: Final = "name and selector are mutually exclusive"
_TWICE: Final = (
    "must not contain both Deny and Warn (repeating the same validation failure information in "
    "the API response and headers serves no purpose)"
)


def strategy(kind: Kind) -> Strategy:
    """Build the rules of bindings of validating or of mutating policies."""
    checks = [metadata_check(names.dns_subdomain, namespaced=False), _binding]
    if kind.kind == "ValidatingAdmissionPolicyBinding":
        checks.append(_actions)
    return build(
        has_status=False,
        generation=True,
        default=in_spec(lambda spec: changed(spec, "matchResources", default_match)),
        create_checks=checks,
        update_checks=(metadata_update_check(),),
    )


def _binding(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    name = spec.get("policyName") or ""
    if name:
        found = each_invalid("spec.policyName", name, names.dns_subdomain(name))
    else:
        found = [required("spec.policyName")]
    reference, match = spec.get("paramRef"), spec.get("matchResources")
    if reference is not None:
        found += _param(reference, "spec.paramRef")
    # The path is misspelt upstream.
    return found + ([] if match is None else match_problems(match, "spec.matchResouces"))


def _param(reference: Part, at: str) -> list[FieldError]:
    name, selector = reference.get("name") or "", reference.get("selector")
    found: list[FieldError] = []
    if name:
        found += each_invalid(f"{at}.name", name, names.path_segment(name))
        if selector is not None:
            found.append(forbidden(f"{at}.name", _EXCLUSIVE))
    if selector is not None:
        found += label_selector_problems(f"{at}.selector", selector)
        if name:
            found.append(forbidden(f"{at}.selector", _EXCLUSIVE))
    if not name and selector is None:
        found.append(required(at, "one of name or selector must be specified"))
    field = "parameterNotFoundAction"
    return found + one_listed(f"{at}.{field}", reference.get(field), _NOT_FOUND)


def _actions(obj: Object) -> list[FieldError]:
    field = "spec.validationActions"
    actions = spec_of(obj).get("validationActions") or []
    found: list[FieldError] = []
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            found.append(not_supported(f"{field}[{index}]", action, _ACTIONS))
        if action in actions[:index]:
            found.append(duplicate(f"{field}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        found.append(invalid(field, actions, _TWICE))
    if not actions:
        found.append(required(field, "at least one validation action is required"))
    return found
