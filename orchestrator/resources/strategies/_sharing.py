"""Building changed objects out of unchanged parts: what does not change is the same object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Part = dict[str, Any]


def filled(part: Part, **defaults: Any) -> Part:
    """Return ``part`` with absent fields set; itself when none is absent. None counts as absent."""
    for field in defaults:
        if part.get(field) is None:
            break
    else:
        return part
    given = {field: value for field, value in part.items() if value is not None}
    return {**part, **defaults, **given}


def changed(part: Part, field: str, change: Callable[[Any], Any]) -> Part:
    """Apply ``change`` to a field that is present and not None."""
    value = part.get(field)
    if value is None:
        return part
    new = change(value)
    return part if new is value else {**part, field: new}


def put(part: Part, field: str, value: Any) -> Part:
    """Set a field, or remove it where ``value`` is None; itself when it is so already."""
    old = part.get(field)
    if old is value and (value is not None or field not in part):
        return part
    if value is None:
        return {key: held for key, held in part.items() if key != field}
    return part if old == value and type(old) is type(value) else {**part, field: value}


def each(change: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    """Make a change of items into a change of a list that keeps it when no item changes."""

    def over(items: list[Any]) -> list[Any]:
        new = [change(item) for item in items]
        if all(one is other for one, other in zip(new, items, strict=True)):
            return items
        return new

    return over


def without(part: Mapping[str, Any], *fields: str) -> Part:
    """Return a copy without some fields."""
    return {key: value for key, value in part.items() if key not in fields}
