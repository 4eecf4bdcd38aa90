"""Sets of fields in the form of ``fieldsV1``, and their algebra.

A set is a tree of dictionaries keyed by path elements: ``f:name`` for a field or map entry,
``k:{...}`` for a list item by its keys, ``v:...`` for a scalar of a set, ``i:0`` for an index. An
empty dictionary is a member without members below; ``"."`` says that a place with members below
is one itself. The root is never a member: an empty root is the empty set. Sets are values: no
function changes its arguments, and results share what stays the same.

The format is that of sigs.k8s.io/structured-merge-diff (fieldpath); working on it directly saves
decoding and encoding ``managedFields`` with every write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

FieldSet: TypeAlias = dict[str, Any]

SELF: Final = "."
MEMBER: Final[FieldSet] = {}
"""A member with nothing below. Shared by all sets: never changed."""


def is_member(node: FieldSet) -> bool:
    """Tell whether a place (not the root) is itself in the set."""
    return not node or SELF in node


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in either set."""
    if not left:
        return right
    if not right:
        return left
    return _union(left, right)


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in both sets."""
    if not left or not right:
        return {}
    return _intersection(left, right) or {}


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in ``left`` and not in ``right``."""
    if not left or not right:
        return left
    return _difference(left, right) or {}


def _union(left: FieldSet, right: FieldSet) -> FieldSet:
    if left is right:
        return left
    if not left:
        return right if SELF in right else {SELF: MEMBER, **right}
    if not right:
        return left if SELF in left else {SELF: MEMBER, **left}
    result = dict(left)
    for element, below in right.items():
        mine = result.get(element)
        if mine is None:
            result[element] = below
        elif element != SELF and mine is not below:
            result[element] = _union(mine, below)
    return result


def _intersection(left: FieldSet, right: FieldSet) -> FieldSet | None:
    """Intersect two places; None where nothing is left."""
    if left is right:
        return left
    below = {
        element: common
        for element, mine in left.items()
        if element != SELF
        and element in right
        and (common := _intersection(mine, right[element])) is not None
    }
    return _place(below, is_member(left) and is_member(right))


def _difference(left: FieldSet, right: FieldSet) -> FieldSet | None:
    """Subtract at a place; None where nothing is left."""
    if left is right:
        return None
    below = {}
    for element, mine in left.items():
        if element == SELF:
            continue
        other = right.get(element)
        rest = mine if other is None else _difference(mine, other)
        if rest is not None:
            below[element] = rest
    return _place(below, is_member(left) and not is_member(right))


def _place(below: FieldSet, member: bool) -> FieldSet | None:
    if not below:
        return MEMBER if member else None
    return {SELF: MEMBER, **below} if member else below


def size(fields: FieldSet) -> int:
    """Return the number of members."""
    return sum(1 for _ in paths(fields))


def paths(fields: FieldSet) -> Iterator[tuple[str, ...]]:
    """Yield the members' paths, parents before children, siblings sorted."""
    for element in sorted(fields):
        if element != SELF:
            yield from _paths(fields[element], (element,))


def _paths(node: FieldSet, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if is_member(node):
        yield path
    for element in sorted(node):
        if element != SELF:
            yield from _paths(node[element], (*path, element))


def from_paths(members: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> FieldSet:
    """Return the set of the given paths."""
    result: FieldSet = {}
    for path in members:
        single: FieldSet = MEMBER
        for element in reversed(path):
            single = {element: single}
        result = union(result, single)
    return result


_KEYS = re.compile(r'"((?:[^"\\]|\\.)*)":("(?:[^"\\]|\\.)*"|[^,}]+)')


def path_text(path: tuple[str, ...]) -> str:
    """Return a path as messages write it: ``.spec.containers[name="web"].image``."""
    parts = []
    for element in path:
        tag, rest = element[:2], element[2:]
        if tag == "f:":
            parts.append(f".{rest}")
        elif tag == "k:":
            pairs = ",".join(f"{match[1]}={match[2]}" for match in _KEYS.finditer(rest))
            parts.append(f"[{pairs}]")
        elif tag == "v:":
            parts.append(f"[={rest}]")
        else:
            parts.append(f"[{rest}]")
    return "".join(parts)


def decode(value: Any) -> FieldSet | None:
    """Check and normalise a set that came from a client; None when it is malformed."""
    return _decode(value) if isinstance(value, dict) else None


def _decode(value: dict[str, Any]) -> FieldSet | None:
    result: FieldSet = {}
    for element, below in value.items():
        if not isinstance(below, dict):
            return None
        if element == SELF:
            if below:
                return None
            result[SELF] = MEMBER
            continue
        if element[:2] not in {"f:", "k:", "v:", "i:"}:
            return None
        child = _decode(below)
        if child is None:
            return None
        result[element] = child
    return MEMBER if len(result) == 1 and SELF in result else result
