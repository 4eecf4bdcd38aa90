"""Pruning: fields that a schema does not specify are left out, and told about.

Source of the rules: k8s.io/apiextensions-apiserver pkg/apiserver/schema/pruning and
pkg/apiserver/schema/objectmeta.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.resources._converters import compiled
from orchestrator.resources._places import DecodeError, Place
from orchestrator.resources.definitions import DEFAULT_VERSION, definitions

Schema = Mapping[str, Any]
Prune = Callable[[Any, str, "list[str]"], Any]
"""``(value, path, unknown)``: the value to keep; adds the paths of what was left out."""

OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_ABSENT: Final[Any] = object()


def compile_pruner(schema: Schema | None, *, resource: bool = False) -> Prune:
    """Compile the pruning of one place.

    Args:
        schema: Of the place; None where nothing is specified and so no field may stand.
        resource: The place is a whole object, whose type and metadata always stay.
    """
    if schema is None:
        return _nothing
    resource = resource or bool(schema.get("x-kubernetes-embedded-resource"))
    specified = schema.get("properties") or {}
    fields = {
        name: compile_pruner(below)
        for name, below in specified.items()
        if not (resource and name in _META)
    }
    additional = schema.get("additionalProperties")
    others: Prune | None = None
    if additional is True:
        others = _nothing
    elif isinstance(additional, Mapping):
        others = compile_pruner(additional)
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    items = schema.get("items")
    item_prune = compile_pruner(items if isinstance(items, Mapping) else None)
    if keeps and not isinstance(items, Mapping):
        item_prune = _everything

    def prune(value: Any, path: str, unknown: list[str]) -> Any:
        if type(value) is list:
            return _pruned_list(value, path, unknown, item_prune)
        if type(value) is not dict:
            return value
        changes: dict[str, Any] | None = None
        for key, item in value.items():
            below = fields.get(key)
            if below is None:
                if resource and key in _META:
                    kept = _META[key](item, f"{path}.{key}" if path else key, unknown)
                    if kept is not item:
                        changes = {} if changes is None else changes
                        changes[key] = kept
                    continue
                below = others
                if below is None:
                    if not keeps:
                        unknown.append(f"{path}.{key}" if path else key)
                        changes = {} if changes is None else changes
                        changes[key] = _ABSENT
                    continue
            if type(item) is not dict and type(item) is not list:
                continue
            kept = below(item, f"{path}.{key}" if path else key, unknown)
            if kept is not item:
                changes = {} if changes is None else changes
                changes[key] = kept
        if changes is None:
            return value
        merged = {**value, **changes}
        return {key: item for key, item in merged.items() if item is not _ABSENT}

    return prune


def _pruned_list(value: list[Any], path: str, unknown: list[str], prune: Prune) -> list[Any]:
    new: list[Any] | None = None
    for index, item in enumerate(value):
        kept = item
        if type(item) is dict or type(item) is list:
            kept = prune(item, f"{path}[{index}]", unknown)
        if kept is not item and new is None:
            new = value[:index]
        if new is not None:
            new.append(kept)
    return value if new is None else new


def _nothing(value: Any, path: str, unknown: list[str]) -> Any:
    """Keep no field of an object, whatever it is called."""
    if type(value) is list:
        return _pruned_list(value, path, unknown, _nothing)
    if type(value) is not dict or not value:
        return value
    unknown.extend(f"{path}.{key}" for key in value)
    return {}


def _everything(value: Any, _path: str, _unknown: list[str]) -> Any:
    return value


def _text(value: Any, path: str, _unknown: list[str]) -> Any:
    if value is not None and type(value) is not str:
        raise DecodeError(f"{path}: Invalid value: {value!r}: must be a string")
    return value


def coerce_metadata(value: Any, path: str, unknown: list[str]) -> Any:
    """Read metadata as the structure it is, whatever holds it.

    Raises:
        DecodeError: A field of the wrong type.
    """
    if value is None:
        return {}
    node = definitions(DEFAULT_VERSION).definition(OBJECT_META)
    inside: list[str] = []
    place = Place(Place(None, "", ""), "metadata", "ObjectMeta")
    kept = compiled(node)(value, place, inside)
    unknown.extend(f"{path}{one.removeprefix('metadata')}" for one in inside)
    return kept


_META: Final[dict[str, Prune]] = {
    "apiVersion": _text,
    "kind": _text,
    "metadata": coerce_metadata,
}
