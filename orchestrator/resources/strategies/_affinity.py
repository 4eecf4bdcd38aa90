"""Validation of affinities to nodes and to other pods.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import each_invalid, forbidden, invalid, required
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._sharing import Part

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_NOT_AN_OPERATOR: Final = "not a valid selector operator"


def affinity_problems(affinity: Part, at: str) -> list[FieldError]:
    """Check a pod's affinities of all three sorts."""
    found: list[FieldError] = []
    if (nodes := affinity.get("nodeAffinity")) is not None:
        found += _node_affinity(nodes, f"{at}.nodeAffinity")
    for field in ("podAffinity", "podAntiAffinity"):
        if (pods := affinity.get(field)) is not None:
            found += _pod_affinity(pods, f"{at}.{field}")
    return found


def _weight(weight: Any, at: str) -> list[FieldError]:
    value = weight or 0
    return (
        [] if 1 <= value <= 100 else [invalid(f"{at}.weight", value, "must be in the range 1-100")]
    )


def _node_affinity(affinity: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    if (needed := affinity.get(_REQUIRED)) is not None:
        found += node_selector_problems(needed, f"{at}.{_REQUIRED}")
    for index, preference in enumerate(affinity.get(_PREFERRED) or ()):
        here = f"{at}.{_PREFERRED}[{index}]"
        found += _weight(preference.get("weight"), here)
        term = preference.get("preference") or {}
        found += node_term_problems(term, f"{here}.preference", any_value=True)
    return found


def node_selector_problems(selector: Part, at: str) -> list[FieldError]:
    """Check a node selector: at least one term, and each of them."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [required(f"{at}.nodeSelectorTerms", "must have at least one node selector term")]
    found: list[FieldError] = []
    for index, term in enumerate(terms):
        found += node_term_problems(term, f"{at}.nodeSelectorTerms[{index}]")
    return found


def node_term_problems(term: Part, at: str, *, any_value: bool = False) -> list[FieldError]:
    """Check one node selector term.

    Args:
        term: It.
        at: Its path.
        any_value: Values need not be such as labels have: upstream's rule for preferences.
    """
    found: list[FieldError] = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        here = f"{at}.matchExpressions[{index}]"
        found += _node_expression(expression, here)
        if not any_value:
            for number, value in enumerate(expression.get("values") or ()):
                found += each_invalid(f"{here}.values[{number}]", value, names.label_value(value))
    for index, expression in enumerate(term.get("matchFields") or ()):
        found += _node_field(expression, f"{at}.matchFields[{index}]")
    return found


def _node_expression(expression: Part, at: str) -> list[FieldError]:
    operator = expression.get("operator") or ""
    values = expression.get("values") or ()
    found: list[FieldError] = []
    match operator:
        case "In" | "NotIn":
            if not values:
                found.append(
                    required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
                )
        case "Exists" | "DoesNotExist":
            if values:
                found.append(
                    forbidden(
                        f"{at}.values",
                        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                    )
                )
        case "Gt" | "Lt":
            if len(values) != 1:
                found.append(
                    required(
                        f"{at}.values",
                        "must be specified single value when `operator` is 'Lt' or 'Gt'",
                    )
                )
        case _:
            found.append(invalid(f"{at}.operator", operator, _NOT_AN_OPERATOR))
    key = expression.get("key") or ""
    return found + each_invalid(f"{at}.key", key, names.qualified_name(key))


def _node_field(expression: Part, at: str) -> list[FieldError]:
    operator, key = expression.get("operator") or "", expression.get("key") or ""
    values = expression.get("values") or ()
    found: list[FieldError] = []
    if operator not in {"In", "NotIn"}:
        found.append(invalid(f"{at}.operator", operator, _NOT_AN_OPERATOR))
    elif len(values) != 1:
        found.append(
            required(
                f"{at}.values",
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            )
        )
    if key != "metadata.name":
        return [*found, invalid(f"{at}.key", key, "not a valid field selector key")]
    for index, value in enumerate(values):
        found += each_invalid(f"{at}.values[{index}]", value, names.dns_subdomain(value))
    return found


def _pod_affinity(affinity: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    for index, term in enumerate(affinity.get(_REQUIRED) or ()):
        found += _pod_term(term, f"{at}.{_REQUIRED}[{index}]")
    for index, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        here = f"{at}.{_PREFERRED}[{index}]"
        found += _weight(weighted.get("weight"), here)
        found += _pod_term(weighted.get("podAffinityTerm") or {}, f"{here}.podAffinityTerm")
    return found


def _pod_term(term: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    for field in ("labelSelector", "namespaceSelector"):
        if (selector := term.get(field)) is not None:
            found += label_selector_problems(f"{at}.{field}", selector)
    for name in term.get("namespaces") or ():
        found += each_invalid(f"{at}.namespace", name, names.dns_label(name))
    if term.get("matchLabelKeys") or term.get("mismatchLabelKeys"):
        found += _label_keys(term, at)
    key = term.get("topologyKey") or ""
    if not key:
        found.append(required(f"{at}.topologyKey", "can not be empty"))
    return found + each_invalid(f"{at}.topologyKey", key, names.qualified_name(key))


def _label_keys(term: Part, at: str) -> list[FieldError]:
    """Check keys whose values are taken from the pod; the API has merged them with the selector."""
    matched, mismatched = term.get("matchLabelKeys") or [], term.get("mismatchLabelKeys") or []
    selector = term.get("labelSelector")
    found: list[FieldError] = []
    for field, keys in (("matchLabelKeys", matched), ("mismatchLabelKeys", mismatched)):
        if keys and selector is None:
            found.append(
                forbidden(f"{at}.{field}", "must not be specified when labelSelector is not set")
            )
            continue
        for index, key in enumerate(keys):
            found += each_invalid(f"{at}.{field}[{index}]", key, names.qualified_name(key))
    if selector is not None:
        seen = set(selector.get("matchLabels") or ())
        for expression in selector.get("matchExpressions") or ():
            key = expression.get("key")
            if key in matched and key in seen:
                found.append(
                    invalid(
                        f"{at}[{matched.index(key)}]",
                        key,
                        "exists in both matchLabelKeys and labelSelector",
                    )
                )
            seen.add(key)
    return found + [
        invalid(
            f"{at}.matchLabelKeys[{index}]",
            key,
            "exists in both matchLabelKeys and mismatchLabelKeys",
        )
        for index, key in enumerate(matched)
        if key in mismatched
    ]
