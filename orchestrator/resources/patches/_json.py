"""JSON values compared and measured as JSON, not as Python: ``True`` is not ``1``."""

from __future__ import annotations

from typing import Any


def same(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are equal; numbers by value, booleans only to booleans."""
    if left is right:
        return True
    if isinstance(left, dict):
        if not isinstance(right, dict) or len(left) != len(right):
            return False
        return all(key in right and same(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        if not isinstance(right, list) or len(left) != len(right):
            return False
        return all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return False  # two equal booleans are identical, so they never come here
    return bool(left == right)


def size_of(value: Any) -> int:
    """Return about how many bytes the value takes as JSON, without encoding it."""
    total = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            total += 2 + sum(len(key) + 4 for key in item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            total += 2 + len(item)
            waiting.extend(item)
        elif isinstance(item, str):
            total += len(item) + 2
        else:
            total += 8
    return total
