"""Conditions: lists of ``{type, status, reason, message, lastTransitionTime}`` in a status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Condition = dict[str, Any]


def find_condition(obj: Mapping[str, Any], type_: str) -> Condition | None:
    """Return an object's condition of a type, or None."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == type_:
            found: Condition = condition
            return found
    return None


def is_condition_true(obj: Mapping[str, Any], type_: str) -> bool:
    """Tell whether a condition exists with status ``True``."""
    condition = find_condition(obj, type_)
    return condition is not None and condition.get("status") == "True"


def set_condition(
    conditions: Iterable[Condition] | None,
    type_: str,
    status: str,
    *,
    now: str,
    reason: str = "",
    message: str = "",
    **more: Any,
) -> list[Condition]:
    """Return the list with one condition set, the others shared and in their places.

    ``lastTransitionTime`` moves only when ``status`` changes. When nothing but ``now`` would
    change and the input is a list, that same list comes back.

    Args:
        conditions: The present list, or None.
        type_: Condition type.
        status: ``True``, ``False`` or ``Unknown``.
        now: Formatted time for ``lastTransitionTime``.
        reason: Left out when empty.
        message: Left out when empty.
        more: Further fields, ``lastUpdateTime`` or ``lastProbeTime`` for example.
    """
    present = conditions if isinstance(conditions, list) else list(conditions or ())
    old = next((c for c in present if c.get("type") == type_), None)
    moved = old is None or old.get("status") != status
    new: Condition = {"type": type_, "status": status, **more}
    new["lastTransitionTime"] = now if old is None or moved else old.get("lastTransitionTime", now)
    if reason:
        new["reason"] = reason
    if message:
        new["message"] = message
    if old is None:
        return [*present, new]
    if new == old:
        return present
    return [new if c is old else c for c in present]


def remove_condition(conditions: Iterable[Condition] | None, type_: str) -> list[Condition]:
    """Return the list without a condition."""
    return [c for c in conditions or () if c.get("type") != type_]
