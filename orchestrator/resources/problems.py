"""Field errors in upstream's words.

Source: k8s.io/apimachinery/pkg/util/validation/field.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from orchestrator.resources.errors import FieldError

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
NOT_POSITIVE = "must be greater than zero"
NOT_WHOLE = "must be an integer"
MAX_INT32 = 2**31 - 1


def in_range(low: int, high: int) -> str:
    """Return upstream's words for a number that must lie between two others."""
    return f"must be between {low} and {high}, inclusive"


def shown(value: Any) -> str:
    """Render a value as upstream puts it into a message: as JSON."""
    return orjson.dumps(value, default=str).decode()


def _with(kind: str, detail: str) -> str:
    return f"{kind}: {detail}" if detail else kind


def required(field: str, detail: str = "") -> FieldError:
    """A field that must be there is not."""
    return FieldError("FieldValueRequired", field, _with("Required value", detail))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """A value breaks a rule."""
    return FieldError("FieldValueInvalid", field, _with(f"Invalid value: {shown(value)}", detail))


def invalid_somehow(field: str, detail: str) -> FieldError:
    """A structure breaks a rule that no single value of it does."""
    return FieldError("FieldValueInvalid", field, _with("Invalid value", detail))


def not_supported(field: str, value: Any, allowed: Iterable[str]) -> FieldError:
    """A value is none of those that are known."""
    known = ", ".join(f'"{one}"' for one in allowed)
    return FieldError(
        "FieldValueNotSupported",
        field,
        f"Unsupported value: {shown(value)}: supported values: {known}",
    )


def forbidden(field: str, detail: str) -> FieldError:
    """A field must not be set here."""
    return FieldError("FieldValueForbidden", field, _with("Forbidden", detail))


def duplicate(field: str, value: Any, detail: str = "") -> FieldError:
    """A value that must be unique occurs twice."""
    return FieldError(
        "FieldValueDuplicate", field, _with(f"Duplicate value: {shown(value)}", detail)
    )


def not_found(field: str, value: Any, detail: str = "") -> FieldError:
    """A value refers to nothing."""
    return FieldError("FieldValueNotFound", field, _with(f"Not found: {shown(value)}", detail))


def too_many(field: str, given: int, limit: int) -> FieldError:
    """A list has more items than it may."""
    items = "items" if limit != 1 else "item"
    return FieldError(
        "FieldValueTooMany", field, f"Too many: {given}: must have at most {limit} {items}"
    )


def too_long(field: str, limit: int) -> FieldError:
    """A value has more bytes than it may."""
    return FieldError("FieldValueTooLong", field, f"Too long: may not be more than {limit} bytes")


def each_invalid(field: str, value: Any, details: Iterable[str]) -> list[FieldError]:
    """One complaint per detail about the same value."""
    return [invalid(field, value, detail) for detail in details]


def not_negative(field: str, value: Any) -> list[FieldError]:
    """Complain about a negative number; None is fine."""
    return [invalid(field, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def immutable(field: str, new: Any, old: Any) -> list[FieldError]:
    """Complain when a value that is fixed at creation differs."""
    return [] if new == old else [invalid(field, new, IMMUTABLE)]


def one_of(field: str, value: Any, allowed: Iterable[str]) -> list[FieldError]:
    """Complain about a missing value or one that is not allowed (listed sorted, as upstream)."""
    known = sorted(allowed)
    if not value:
        return [required(field)]
    return [] if value in known else [not_supported(field, value, known)]


def one_listed(field: str, value: Any, allowed: Iterable[str]) -> list[FieldError]:
    """Complain like `one_of`, but list the values in the order given, as upstream does for some."""
    if not value:
        return [required(field)]
    return [] if value in allowed else [not_supported(field, value, allowed)]


def if_given(field: str, value: Any, allowed: Iterable[str]) -> list[FieldError]:
    """Complain about a value that is there and not allowed; None is fine."""
    if value is None or value in allowed:
        return []
    return [not_supported(field, value, allowed)]
