"""Lists whose items must be unique: ``x-kubernetes-list-type`` ``set`` and ``map``.

Source of the rules: k8s.io/apiextensions-apiserver pkg/apiserver/schema/listtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import duplicate, invalid

Schema = Mapping[str, Any]
Unique = Callable[[Any, str, "list[FieldError]"], None]


def compile_uniqueness(schema: Schema) -> Unique | None:
    """Compile the check of a place; None when there is no such list at it or below."""
    if schema.get("type") == "array" or "items" in schema:
        return _list_check(schema)
    fields = _below(schema.get("properties") or {})
    additional = schema.get("additionalProperties")
    others = compile_uniqueness(additional) if isinstance(additional, Mapping) else None
    if not fields and others is None:
        return None

    def check(value: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is not dict:
            return
        if others is not None:
            for key, item in value.items():
                others(item, f"{path}[{key}]", found)
        for key, below in fields.items():
            item = value.get(key)
            if item is not None:
                below(item, f"{path}.{key}" if path else key, found)

    return check


def _below(properties: Mapping[str, Schema]) -> dict[str, Unique]:
    made = {name: compile_uniqueness(below) for name, below in properties.items()}
    return {name: check for name, check in made.items() if check is not None}


def _list_check(schema: Schema) -> Unique | None:
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    items = schema.get("items")
    item_check = compile_uniqueness(items) if isinstance(items, Mapping) else None
    if kind not in {"set", "map"} and item_check is None:
        return None

    def check(value: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is not list:
            return
        if kind == "set":
            _check_set(value, path, found)
        elif kind == "map":
            _check_map(value, keys, path, found)
        if item_check is not None:
            for index, item in enumerate(value):
                item_check(item, f"{path}[{index}]", found)

    return check


def _check_set(items: list[Any], path: str, found: list[FieldError]) -> None:
    found.extend(duplicate(f"{path}[{index}]", items[index]) for index in _repeated(items))


def _repeated(items: list[Any]) -> list[int]:
    """Return where each value that occurs more than once occurs the second time."""
    seen: dict[bytes, int] = {}
    repeated = []
    for index, item in enumerate(items):
        text = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
        seen[text] = times = seen.get(text, 0) + 1
        if times == 2:
            repeated.append(index)
    return repeated


def _check_map(items: list[Any], keys: tuple[str, ...], path: str, found: list[FieldError]) -> None:
    identities = []
    for index, item in enumerate(items):
        if item is not None and type(item) is not dict:
            found.append(
                invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")
            )
            return
        identities.append({key: item[key] for key in keys if key in item} if item else {})
    found.extend(
        duplicate(f"{path}[{index}]", identities[index]) for index in _repeated(identities)
    )
