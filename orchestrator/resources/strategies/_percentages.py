"""Counts that may be percentages instead: how many pods may be missing or too many.

Source of rules and words: pkg/apis/apps/validation of Kubernetes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import invalid, not_negative

_PERCENT: Final = re.compile("[0-9]+%", re.ASCII)
PERCENT_WRONG: Final = names.pattern_message(
    "a valid percent string must be a numeric string followed by an ending '%'",
    "[0-9]+%",
    "1%",
    "93%",
)


def int_or_percent(field: str, value: Any) -> list[FieldError]:
    """Check that a value is a count or a percentage; None is fine."""
    if isinstance(value, str):
        return [] if _PERCENT.fullmatch(value) else [invalid(field, value, PERCENT_WRONG)]
    return not_negative(field, value)


def at_most_all(field: str, value: Any) -> list[FieldError]:
    """Check that a percentage is not over 100; counts are fine."""
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid(field, value, "must not be greater than 100%")]
    return []


def amount_of(value: Any) -> int:
    """Return the number in a count or a percentage; 0 for what is neither."""
    if isinstance(value, str):
        digits = value.removesuffix("%")
        return int(digits) if digits.isdecimal() else 0
    return int(value or 0)
