"""Strategic merge patch: lists merged by key, and directives that say what a merge cannot.

Directives: ``$patch: replace | delete | merge`` in maps and list items, ``$retainKeys``,
``$setElementOrder/<list>``, ``$deleteFromPrimitiveList/<list>``. Merge keys and strategies come
from the published definitions. Semantics: k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from __future__ import annotations

from typing import Any

from orchestrator.resources.definitions import SchemaNode
from orchestrator.resources.errors import bad_request
from orchestrator.resources.objects import Object
from orchestrator.resources.patches import _lists
from orchestrator.resources.patches._printing import printed
from orchestrator.resources.patches.errors import PatchRejectedError, shallow

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
SET_ELEMENT_ORDER = "$setElementOrder/"
DELETE_FROM_PRIMITIVE_LIST = "$deleteFromPrimitiveList/"
_DIRECTIVES = ["delete", "replace"]
"""A list, since what a client writes there need not be hashable."""


@shallow
def apply_strategic_merge_patch(obj: Object, patch: Any, schema: SchemaNode | None) -> Object:
    """Return ``obj`` with ``patch`` merged in as the kind's schema says; ``obj`` stays as it is.

    Args:
        obj: The current object.
        patch: The decoded body.
        schema: The kind's structure. Without one every list is replaced; whether a custom
            resource may be patched so at all (upstream: 415) is the caller's decision.

    Raises:
        StatusError: 400 for a malformed directive or a list item without its merge key, 422
            (`PatchRejectedError`) where lists of lists would have to be merged.
    """
    if not isinstance(patch, dict):
        raise bad_request("invalid JSON document")
    return _merge_map(obj, patch, schema)


def _merge_map(
    original: dict[str, Any], patch: dict[str, Any], schema: SchemaNode | None
) -> dict[str, Any]:
    directive = patch.get(PATCH)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != PATCH}
    if directive == "delete":
        return {}
    if directive is not None and directive != "merge":
        raise bad_request(f"unknown patch type: {printed(directive)} in map: {printed(patch)}")
    result = dict(original)
    if RETAIN_KEYS in patch:
        _retain_keys(result, patch)
    ordered = _apply_orders(result, patch, schema)
    for key, value in patch.items():
        if key in {PATCH, RETAIN_KEYS} or key in ordered or key.startswith(SET_ELEMENT_ORDER):
            continue
        if key.startswith(DELETE_FROM_PRIMITIVE_LIST):
            _delete_from_list(result, key.removeprefix(DELETE_FROM_PRIMITIVE_LIST), value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _merge_value(result.get(key), value, _field(schema, key))
    return result


def _merge_value(current: Any, value: Any, schema: SchemaNode | None) -> Any:
    strategy = _strategies(schema)
    if isinstance(value, dict):
        if isinstance(current, dict) and "replace" not in strategy:
            return _merge_map(current, value, schema)
        return _fresh(value)
    if isinstance(value, list):
        if isinstance(current, list) and "merge" in strategy:
            return _merge_list(current, value, schema)
        return _fresh(value)
    return value


def _merge_list(
    original: list[Any], patch: list[Any], schema: SchemaNode | None, *, ordered: bool = True
) -> list[Any]:
    """Merge a list whose strategy is ``merge``.

    Args:
        original: Items of the object.
        patch: Items of the patch, with their directives.
        schema: Structure of the list.
        ordered: Whether to settle the order; an element order of its own settles it later.
    """
    if not original and not patch:
        return original
    if not _lists.are_maps(original, patch):
        merged = _lists.without_duplicates(original + patch)
        return _lists.in_order(merged, patch, original, "") if ordered else merged
    key = schema.merge_key if schema else ""
    if not key:
        name = schema.name if schema else "the list"
        raise bad_request(f"cannot merge lists without merge key for {name}")
    kept, additions, replace = _take_directives(original, patch, key)
    if replace:
        return [_fresh(item) for item in additions]
    items = schema.items if schema else None
    merged = list(kept)
    positions = _lists.positions(merged, key)
    for item in additions:
        value = _lists.key_of(item, key)
        identity = _lists.identity(value)
        if identity in positions:
            where = positions[identity]
            merged[where] = _merge_map(merged[where], item, items)
        else:
            positions[identity] = len(merged)
            merged.append(_fresh(item))
    return _lists.in_order(merged, additions, kept, key) if ordered else merged


def _take_directives(
    original: list[Any], patch: list[Any], key: str
) -> tuple[list[Any], list[Any], bool]:
    """Split a patch of maps.

    Returns:
        The original without the items to delete, the patch's items without directives, and
        whether they replace the whole list.
    """
    deleted = set()
    additions = []
    replace = False
    for item in patch:
        directive = item.get(PATCH)
        if directive == "delete":
            deleted.add(_lists.identity(_lists.key_of(item, key)))
        elif directive == "replace":
            replace = True
        elif directive is None:
            additions.append(item)
        elif directive == "merge":
            rest = {name: value for name, value in item.items() if name != PATCH}
            if rest:
                additions.append(rest)
        else:
            raise bad_request(f"unknown patch type: {printed(directive)} in map: {printed(item)}")
    if deleted:
        original = [item for item in original if _lists.identity(item.get(key)) not in deleted]
    return original, additions, replace


def _apply_orders(
    result: dict[str, Any], patch: dict[str, Any], schema: SchemaNode | None
) -> set[str]:
    """Merge and order the lists that a ``$setElementOrder`` names; return their fields."""
    done = set()
    for directive, order in patch.items():
        if not directive.startswith(SET_ELEMENT_ORDER):
            continue
        field = directive.removeprefix(SET_ELEMENT_ORDER)
        original, changes = result.get(field), patch.get(field)
        for value in (order, original or [], changes or []):
            if not isinstance(value, list):
                raise bad_request("invalid patch format of setElementOrder list")
        if field in patch and changes is None:
            continue  # null removes the list: nothing is left to order
        if original is None and changes is None:
            continue
        node = _field(schema, field)
        key = node.merge_key if node else ""
        _check_order(changes or [], order, key)
        if changes is None:
            merged = original
        elif original is None:
            merged = _fresh(changes)
        elif "merge" in _strategies(node):
            merged = _merge_list(original, changes, node, ordered=False)
        else:
            merged = _fresh(changes)
        result[field] = _lists.in_order(merged or [], order, original or [], key)
        done.add(field)
    return done


def _check_order(changes: list[Any], order: list[Any], key: str) -> None:
    """Refuse a patch list whose items are missing from the element order or in another one."""
    wanted = [_lists.identity(_lists.key_of(item, key) if key else item) for item in order]
    position = 0
    for item in changes:
        if isinstance(item, dict):
            if PATCH in item:
                continue
            if not key:
                raise PatchRejectedError("invalid patch format of setElementOrder list")
        identity = _lists.identity(_lists.key_of(item, key) if key else item)
        try:
            position = wanted.index(identity, position) + 1
        except ValueError:
            raise bad_request(
                f"The order in patch list:\n{printed(changes)}\n doesn't match "
                f"{SET_ELEMENT_ORDER[:-1]} list:\n{printed(order)}\n"
            ) from None


def _retain_keys(result: dict[str, Any], patch: dict[str, Any]) -> None:
    keys = patch[RETAIN_KEYS]
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise bad_request("invalid patch format of retainKeys")
    for key, value in patch.items():
        if value is not None and not key.startswith("$") and key not in keys:
            raise PatchRejectedError("patch content doesn't match retainKeys list")
    for key in [key for key in result if key not in keys]:
        del result[key]


def _delete_from_list(result: dict[str, Any], field: str, values: Any) -> None:
    if not isinstance(values, list) or any(isinstance(value, dict | list) for value in values):
        raise bad_request("invalid patch format of primitive list")
    current = result.get(field)
    if isinstance(current, list):
        gone = {_lists.identity(value) for value in values}
        result[field] = [item for item in current if _lists.identity(item) not in gone]


def _fresh(value: Any) -> Any:
    """Return a patch's value as it is stored where nothing was: no directives, no nulls."""
    if isinstance(value, dict):
        return {
            key: _fresh(item)
            for key, item in value.items()
            if item is not None and not _is_directive(key)
        }
    if isinstance(value, list):
        return [
            _fresh(item)
            for item in value
            if not (isinstance(item, dict) and item.get(PATCH) in _DIRECTIVES)
        ]
    return value


def _is_directive(key: str) -> bool:
    return key in {PATCH, RETAIN_KEYS} or key.startswith(
        (SET_ELEMENT_ORDER, DELETE_FROM_PRIMITIVE_LIST)
    )


def _field(schema: SchemaNode | None, key: str) -> SchemaNode | None:
    if schema is None:
        return None
    return schema.fields.get(key) or schema.additional


def _strategies(schema: SchemaNode | None) -> list[str]:
    return schema.patch_strategy.split(",") if schema else []
