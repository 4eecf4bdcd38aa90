"""Which fields an object has, and which differ between two revisions.

The rules of who counts as a member are those of structured-merge-diff: an *added* subtree counts
every place in it, what a manager *applies* counts leaves, list items and map entries only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from orchestrator.resources.patches._json import same
from orchestrator.resources.patches._shapes import LEAF, Relation, Shape, scalar_text
from orchestrator.resources.patches.field_sets import MEMBER, SELF, FieldSet

_ALWAYS_PRESENT = frozenset(
    {"metadata", "spec", "status", "template", "jobTemplate", "strategy", "updateStrategy"}
    | {"containers"}
)
"""Fields that upstream's types hold by value: there even in an empty object, so never added."""

_CONTAINERS = (dict, list)
_STRUCT, _MAP, _ITEMS, _SET = Relation.STRUCT, Relation.MAP, Relation.ITEMS, Relation.SET


class Difference(NamedTuple):
    """What changed from one revision to the next."""

    added: FieldSet
    modified: FieldSet
    removed: FieldSet


def fields_applied(value: dict[str, Any], shape: Shape) -> FieldSet:
    """Return the fields that applying ``value`` claims."""
    return _whole_map(value, shape, False, {}) if value else {}


def fields_added(value: dict[str, Any], shape: Shape) -> FieldSet:
    """Return the fields that creating ``value`` adds."""
    return _whole_map(value, shape, True, {}) if value else {}


def compare(old: dict[str, Any], new: dict[str, Any], shape: Shape) -> Difference:
    """Return the difference of two revisions; parts that are the same object cost nothing."""
    added: FieldSet = {}
    modified: FieldSet = {}
    removed: FieldSet = {}
    _compare_maps(old, new, shape, added, modified, removed)
    return Difference(added, modified, removed)


def _whole(value: Any, shape: Shape, added: bool) -> FieldSet | None:
    """Return the set at and below a place; None where there is no member at all."""
    if isinstance(value, dict):
        if shape.relation not in {_STRUCT, _MAP} or not value:
            return MEMBER
        return _whole_map(value, shape, added, {SELF: MEMBER} if added else {})
    if isinstance(value, list) and shape.relation >= _ITEMS:
        return _whole_list(value, shape, {SELF: MEMBER} if added else {}, added)
    return MEMBER


def _whole_map(
    value: dict[str, Any], shape: Shape, added: bool, node: dict[str, Any]
) -> dict[str, Any]:
    fields = shape.fields
    struct = shape.relation is _STRUCT
    for name, item in value.items():
        if not isinstance(item, _CONTAINERS):
            node[f"f:{name}"] = MEMBER
            continue
        below = _whole(item, fields[name], added)
        if below is None:
            if not struct:
                node[f"f:{name}"] = MEMBER
            continue
        if added:
            if struct and name in _ALWAYS_PRESENT:
                below = {element: rest for element, rest in below.items() if element != SELF}
                if not below:
                    continue
            elif len(below) == 1 and SELF in below:
                below = MEMBER
        elif not struct and below and SELF not in below:
            below[SELF] = MEMBER
        node[f"f:{name}"] = below
    return node


def _whole_list(
    value: list[Any], shape: Shape, node: dict[str, Any], added: bool
) -> FieldSet | None:
    if shape.relation is _SET:
        for item in value:
            node[f"v:{scalar_text(item)}"] = MEMBER
    else:
        items = shape.items or LEAF
        for index, item in enumerate(value):
            element = _element(shape, item, index)
            below = _whole(item, items, added) or MEMBER
            if below and SELF not in below:
                below = {SELF: MEMBER, **below}
            elif len(below) == 1:
                below = MEMBER
            node[element] = below
    return node or None


def _compare_maps(
    old: dict[str, Any],
    new: dict[str, Any],
    shape: Shape,
    added: dict[str, Any],
    modified: dict[str, Any],
    removed: dict[str, Any],
) -> None:
    """Compare entry by entry, writing into the three given (new) nodes."""
    fields = shape.fields
    for name, item in new.items():
        if name not in old:
            below = _whole_map({name: item}, shape, True, {})
            added.update(below)
            continue
        before = old[name]
        if before is item:
            continue
        if isinstance(item, _CONTAINERS) or isinstance(before, _CONTAINERS):
            _compare(before, item, fields[name], f"f:{name}", added, modified, removed)
        elif not same(before, item):
            modified[f"f:{name}"] = MEMBER
    for name, before in old.items():
        if name not in new:
            removed[f"f:{name}"] = _whole(before, fields[name], True) or MEMBER


def _compare(
    old: Any,
    new: Any,
    shape: Shape,
    element: str,
    added: dict[str, Any],
    modified: dict[str, Any],
    removed: dict[str, Any],
) -> None:
    relation = shape.relation
    parts: tuple[FieldSet, FieldSet, FieldSet] = ({}, {}, {})
    if isinstance(new, dict) and isinstance(old, dict) and relation in {_STRUCT, _MAP}:
        _compare_maps(old, new, shape, *parts)
    elif isinstance(new, list) and isinstance(old, list) and relation >= _ITEMS:
        _compare_items(_by_element(old, shape), _by_element(new, shape), shape, *parts)
    else:
        if not same(old, new):
            modified[element] = MEMBER
        return
    for part, whole in zip(parts, (added, modified, removed), strict=True):
        if part:
            whole[element] = part


def _compare_items(
    old: dict[str, Any],
    new: dict[str, Any],
    shape: Shape,
    added: dict[str, Any],
    modified: dict[str, Any],
    removed: dict[str, Any],
) -> None:
    items = shape.items or LEAF
    for element, item in new.items():
        if element not in old:
            added[element] = _whole(item, items, True) or MEMBER
        elif (before := old[element]) is not item:
            _compare(before, item, items, element, added, modified, removed)
    for element, before in old.items():
        if element not in new:
            removed[element] = _whole(before, items, True) or MEMBER


def _by_element(value: list[Any], shape: Shape) -> dict[str, Any]:
    """Index a list by path element; items that share one are held, and compared, together."""
    if shape.relation is _SET:
        return {f"v:{scalar_text(item)}": item for item in value}
    found: dict[str, Any] = {}
    for index, item in enumerate(value):
        element = _element(shape, item, index)
        if element in found:
            before = found[element]
            found[element] = [*before, item] if isinstance(before, list) else [before, item]
        else:
            found[element] = item
    return found


def _element(shape: Shape, item: Any, index: int) -> str:
    return (shape.key_of(item) if isinstance(item, dict) else "") or f"i:{index}"


def elements(value: Iterable[Any], shape: Shape) -> list[str]:
    """Return the path elements of a list's items, in order."""
    if shape.relation is _SET:
        return [f"v:{scalar_text(item)}" for item in value]
    return [_element(shape, item, index) for index, item in enumerate(value)]
