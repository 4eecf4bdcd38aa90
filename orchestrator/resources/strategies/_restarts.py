"""Validation of a container's own restart policy and rules.

Source of rules: the API reference of ``Container.restartPolicy`` and ``restartPolicyRules``.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    not_supported,
    one_listed,
    required,
    too_many,
)
from orchestrator.resources.strategies._sharing import Part

_POLICIES: Final = ("Always", "Never", "OnFailure")
_ACTIONS: Final = ("Restart", "RestartAllContainers")
_OPERATORS: Final = ("In", "NotIn")
_RULES_LIMIT: Final = 20
_CODES_LIMIT: Final = 255


def restart_problems(container: Part, at: str) -> list[FieldError]:
    """Check ``restartPolicy`` and ``restartPolicyRules`` of a container."""
    policy = container.get("restartPolicy")
    rules = container.get("restartPolicyRules") or ()
    found: list[FieldError] = []
    if policy is None:
        if rules:
            found.append(
                required(
                    f"{at}.restartPolicy", "must specify restartPolicy when restart rules are used"
                )
            )
    elif policy not in _POLICIES:
        found.append(not_supported(f"{at}.restartPolicy", policy, _POLICIES))
    here = f"{at}.restartPolicyRules"
    if len(rules) > _RULES_LIMIT:
        found.append(too_many(here, len(rules), _RULES_LIMIT))
    for index, rule in enumerate(rules):
        found += one_listed(f"{here}[{index}].action", rule.get("action"), _ACTIONS)
        codes = rule.get("exitCodes")
        place = f"{here}[{index}].exitCodes"
        if codes is None:
            found.append(required(place, "must be specified"))
            continue
        found += one_listed(f"{place}.operator", codes.get("operator"), _OPERATORS)
        count = len(codes.get("values") or ())
        if count > _CODES_LIMIT:
            found.append(too_many(f"{place}.values", count, _CODES_LIMIT))
    return found
