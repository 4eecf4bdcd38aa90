"""Defaults of custom resources, and what becomes of nulls where no null may stand.

Source of the rules: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
Fill = Callable[[Any], Any]

_ABSENT: Final[Any] = object()
_SCALARS: Final = frozenset({str, int, float, bool})


def compile_defaults(schema: Schema) -> Fill:
    """Compile the defaulting of one place: from a value to the value with its defaults.

    The value itself comes back when there is nothing to do. Defaults are shared by all objects
    that get them.
    """
    properties = schema.get("properties") or {}
    fields = {name: compile_defaults(below) for name, below in properties.items()}
    nullable = frozenset(name for name, below in properties.items() if below.get("nullable"))
    defaults = {
        name: fields[name](below["default"])
        for name, below in properties.items()
        if below.get("default") is not None
    }
    additional = schema.get("additionalProperties")
    others = compile_defaults(additional) if isinstance(additional, Mapping) else None
    other_null = _null_of(additional, others)
    items = schema.get("items")
    item_fill = compile_defaults(items) if isinstance(items, Mapping) else None
    item_null = _null_of(items, item_fill)

    def fill(value: Any) -> Any:
        if type(value) is dict:
            return fill_fields(value)
        if type(value) is list and item_fill is not None:
            return fill_items(value)
        return value

    def fill_fields(value: dict[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] | None = None
        for key, item in value.items():
            kind = type(item)
            if kind in _SCALARS:
                continue
            below = fields.get(key)
            if item is None:
                if below is not None:
                    if key in nullable:
                        continue
                    kept = defaults.get(key, _ABSENT)
                elif others is None or other_null is None:
                    continue
                else:
                    kept = _ABSENT if other_null is _ABSENT else other_null
            else:
                below = below or others
                if below is None:
                    continue
                kept = below(item)
            if kept is not item:
                changes = {} if changes is None else changes
                changes[key] = kept
        for key, default in defaults.items():
            if key not in value:
                changes = {} if changes is None else changes
                changes[key] = default
        if changes is None:
            return value
        merged = {**value, **changes}
        return {key: item for key, item in merged.items() if item is not _ABSENT}

    def fill_items(value: list[Any]) -> list[Any]:
        assert item_fill is not None
        new: list[Any] | None = None
        for index, item in enumerate(value):
            if item is None:
                kept = None if item_null in (None, _ABSENT) else item_null
            else:
                kept = item_fill(item)
            if kept is not item and new is None:
                new = value[:index]
            if new is not None:
                new.append(kept)
        return value if new is None else new

    return fill


def _null_of(schema: Any, fill: Fill | None) -> Any:
    """Return what a null becomes: None where it may stay, `_ABSENT` where it has to go."""
    if not isinstance(schema, Mapping) or fill is None or schema.get("nullable"):
        return None
    default = schema.get("default")
    return _ABSENT if default is None else fill(default)
