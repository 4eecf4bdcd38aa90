"""Validation of what else decides where a pod may run: tolerations, spreading, gates.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    NOT_POSITIVE,
    duplicate,
    each_invalid,
    forbidden,
    if_given,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._sharing import Part

EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ACTIONS: Final = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSIONS: Final = ("Honor", "Ignore")


def toleration_problems(toleration: Part, at: str) -> list[FieldError]:
    """Check one toleration."""
    key = toleration.get("key") or ""
    operator = toleration.get("operator") or ""
    effect = toleration.get("effect") or ""
    value = toleration.get("value") or ""
    found: list[FieldError] = []
    if key:
        found += each_invalid(f"{at}.key", key, names.qualified_name(key))
    elif operator != "Exists":
        found.append(
            invalid(
                f"{at}.operator",
                operator,
                'operator must be Exists when `key` is empty, which means "match all values and '
                'all keys"',
            )
        )
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        found.append(
            invalid(
                f"{at}.effect",
                effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            )
        )
    if operator in {"", "Equal"}:
        if problems := names.label_value(value):
            found.append(invalid(f"{at}.operator", value, ";".join(problems)))
    elif operator == "Exists":
        if value:
            found.append(
                invalid(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'")
            )
    else:
        found.append(not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in EFFECTS:
        found.append(not_supported(f"{at}.effect", effect, EFFECTS))
    return found


def spread_problems(constraints: list[Part], at: str) -> list[FieldError]:
    """Check ``topologySpreadConstraints``."""
    found: list[FieldError] = []
    # Comparing each with all later ones would take a minute for a body full of them.
    last = {
        (one.get("topologyKey"), one.get("whenUnsatisfiable")): index
        for index, one in enumerate(constraints)
    }
    for index, constraint in enumerate(constraints):
        pair = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        found += _spread(constraint, f"{at}[{index}]", comes_again=last.get(pair, 0) > index)
    return found


def _spread(constraint: Part, at: str, *, comes_again: bool) -> list[FieldError]:
    found: list[FieldError] = []
    skew = constraint.get("maxSkew") or 0
    key, action = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
    if skew <= 0:
        found.append(invalid(f"{at}.maxSkew", skew, NOT_POSITIVE))
    if not key:
        found.append(required(f"{at}.topologyKey", "can not be empty"))
    if action not in _ACTIONS:
        found.append(not_supported(f"{at}.whenUnsatisfiable", action, _ACTIONS))
    if comes_again:
        pair = f"{at}.{{topologyKey, whenUnsatisfiable}}"
        found.append(duplicate(pair, f"{{{key}, {action}}}"))
    found += _least_domains(constraint.get("minDomains"), action, f"{at}.minDomains")
    for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        found += if_given(f"{at}.{field}", constraint.get(field), _INCLUSIONS)
    selector = constraint.get("labelSelector")
    if keys := constraint.get("matchLabelKeys"):
        found += _match_label_keys(keys, selector, f"{at}.matchLabelKeys")
    if selector is not None:
        found += label_selector_problems(f"{at}.labelSelector", selector)
    return found


def _least_domains(least: Any, action: str, at: str) -> list[FieldError]:
    if least is None:
        return []
    found = [invalid(at, least, NOT_POSITIVE)] if least <= 0 else []
    if action != "DoNotSchedule":
        found.append(
            invalid(
                at,
                least,
                f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}",
            )
        )
    return found


def _match_label_keys(keys: list[str], selector: Part | None, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    if selector is None:
        found.append(forbidden(at, "must not be specified when labelSelector is not set"))
        selector = {}
    selected = {
        *(selector.get("matchLabels") or ()),
        *(one.get("key") for one in selector.get("matchExpressions") or ()),
    }
    for index, key in enumerate(keys):
        found += each_invalid(f"{at}[{index}]", key, names.qualified_name(key))
        if key in selected:
            found.append(
                invalid(f"{at}[{index}]", key, "exists in both matchLabelKeys and labelSelector")
            )
    return found


def gate_problems(gates: list[Part], at: str) -> list[FieldError]:
    """Check scheduling gates."""
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name") or ""
        found += each_invalid(f"{at}[{index}]", name, names.qualified_name(name))
        if name in seen:
            found.append(duplicate(f"{at}[{index}]", name))
        seen.add(name)
    return found
