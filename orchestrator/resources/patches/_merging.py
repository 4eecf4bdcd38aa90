"""The two changes that server-side apply makes: merging what is applied, pruning what is not."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.patches._comparing import elements
from orchestrator.resources.patches._json import same
from orchestrator.resources.patches._shapes import LEAF, Relation, Shape
from orchestrator.resources.patches.field_sets import SELF, FieldSet, is_member

_KEPT = frozenset({"apiVersion", "kind", "metadata"})
"""Fields of every object that pruning never removes."""


def merge(live: dict[str, Any], applied: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Return ``live`` with ``applied`` merged in; ``live`` itself when that changes nothing."""
    result: dict[str, Any] | None = None
    for name, value in applied.items():
        if value is None:
            if name in live:
                result = dict(live) if result is None else result
                result.pop(name)
            continue
        if name in live:
            before = live[name]
            after = _merge(before, value, shape.fields[name])
            if after is before:
                continue
        else:
            after = without_nulls(value)
        result = dict(live) if result is None else result
        result[name] = after
    return live if result is None else result


def _merge(live: Any, applied: Any, shape: Shape) -> Any:
    if isinstance(applied, dict) and isinstance(live, dict):
        if shape.relation in {Relation.STRUCT, Relation.MAP}:
            return merge(live, applied, shape)
    elif isinstance(applied, list) and isinstance(live, list) and shape.relation >= Relation.ITEMS:
        return _merge_lists(live, applied, shape)
    applied = without_nulls(applied)
    return live if same(live, applied) else applied


def _merge_lists(live: list[Any], applied: list[Any], shape: Shape) -> list[Any]:
    """Merge by key, in the order applied, with what only ``live`` has where it stood."""
    live_elements, applied_elements = elements(live, shape), elements(applied, shape)
    by_element = dict(zip(reversed(live_elements), reversed(live), strict=True))
    wanted = set(applied_elements)
    items = shape.items or LEAF
    done: set[str] = set()
    result: list[Any] = []
    left = right = 0
    while left < len(live) or right < len(applied):
        if left < len(live):
            element = live_elements[left]
            if element not in wanted:
                result.append(live[left])
                left += 1
                continue
            if element in done:
                left += 1
                continue
        element, item = applied_elements[right], applied[right]
        right += 1
        if element not in done:
            done.add(element)
            mine = by_element.get(element)
            result.append(without_nulls(item) if mine is None else _merge(mine, item, items))
    unchanged = len(result) == len(live) and all(map(_identical, result, live))
    return live if unchanged else result


def _identical(left: Any, right: Any) -> bool:
    return left is right or (not isinstance(left, dict | list) and same(left, right))


def without_nulls(value: Any) -> Any:
    """Return a value without its null fields; the same value when it has none."""
    if isinstance(value, dict):
        kept = {name: without_nulls(item) for name, item in value.items() if item is not None}
        unchanged = len(kept) == len(value) and all(kept[name] is value[name] for name in kept)
        return value if unchanged else kept
    if isinstance(value, list):
        items = [without_nulls(item) for item in value]
        return value if all(map(_is, items, value)) else items
    return value


def _is(left: Any, right: Any) -> bool:
    return left is right


def prune(obj: dict[str, Any], last: FieldSet, owned: FieldSet, shape: Shape) -> dict[str, Any]:
    """Return ``obj`` without what its manager applied last time and nobody owns any more.

    A named field counts as owned when something below it is; a list item or map entry goes with
    all below it once it has no owner itself.

    Args:
        obj: The object with the new configuration merged in.
        last: What the manager owned before.
        owned: What all managers own now, the manager's new set included.
        shape: Ownership of the kind.
    """
    held = {name: value for name, value in obj.items() if name in _KEPT}
    result = _prune_map(obj, last, owned, shape)
    metadata = held.get("metadata")
    if metadata is not None:
        below_last, below_owned = last.get("f:metadata") or {}, owned.get("f:metadata") or {}
        held["metadata"] = _prune_map(metadata, below_last, below_owned, shape.fields["metadata"])
    return obj if result is obj and held.get("metadata") is metadata else {**result, **held}


def _prune_map(
    value: dict[str, Any], last: FieldSet, owned: FieldSet, shape: Shape
) -> dict[str, Any]:
    result: dict[str, Any] | None = None
    struct = shape.relation is Relation.STRUCT
    for element, mine in last.items():
        name = element[2:]
        if element == SELF or name not in value:
            continue
        others = owned.get(element)
        item = value[name]
        if (is_member(mine) or struct) and (others is None or not (is_member(others) or struct)):
            result = dict(value) if result is None else result
            del result[name]
            continue
        if not mine:
            continue
        after = _prune(item, mine, others or {}, shape.fields[name])
        if after is item:
            continue
        result = dict(value) if result is None else result
        if not after and others is not None and not is_member(others):
            del result[name]
        else:
            result[name] = after
    return value if result is None else result


def _prune(value: Any, last: FieldSet, owned: FieldSet, shape: Shape) -> Any:
    if isinstance(value, dict) and shape.relation in {Relation.STRUCT, Relation.MAP}:
        return _prune_map(value, last, owned, shape)
    if isinstance(value, list) and shape.relation >= Relation.ITEMS:
        return _prune_list(value, last, owned, shape)
    return value


def _prune_list(value: list[Any], last: FieldSet, owned: FieldSet, shape: Shape) -> list[Any]:
    items = shape.items or LEAF
    result = []
    changed = False
    for element, item in zip(elements(value, shape), value, strict=True):
        mine, others = last.get(element), owned.get(element)
        if mine is None:
            result.append(item)
        elif is_member(mine) and (others is None or not is_member(others)):
            changed = True
        else:
            after = _prune(item, mine, others or {}, items) if mine else item
            changed = changed or after is not item
            result.append(after)
    return result if changed else value
