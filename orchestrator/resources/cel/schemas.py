"""Structural schemas of custom resources to types of expressions.

The mapping, the sizes and the escaping of names are upstream's: k8s.io/apiserver/pkg/cel.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.times import date, duration, timestamp
from orchestrator.resources.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    INT,
    STRING,
    Type,
    list_of,
    map_of,
    objects,
)
from orchestrator.resources.cel.values import MapList, SetList
from orchestrator.resources.cel.words import RESERVED

REQUEST_SIZE = 3 * 1024 * 1024
"""Bytes of the largest request, from which what is not limited otherwise is estimated."""
_LONGEST = REQUEST_SIZE - 2
_NAME = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*")
_ESCAPED = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_ESCAPE = re.compile(r"__|[./-]")


def escape(name: str) -> str | None:
    """Return how expressions write a field's name; None for one that they can't."""
    if not _NAME.fullmatch(name):
        return None
    if name in RESERVED:
        return f"__{name}__"
    return _ESCAPE.sub(lambda match: _ESCAPED[match.group()], name)


class Declared(NamedTuple):
    """A schema as expressions see it.

    Attributes:
        type: Its type.
        least: Bytes of the smallest value in JSON.
    """

    type: Type
    least: int


def declared(
    schema: Mapping[str, Any], *, root: bool = False, name: str = "self"
) -> Declared | None:
    """Return the type of a structural schema.

    Args:
        schema: As JSON.
        root: Whether it describes a whole object, whose name and kind are always there.
        name: Of the type, for messages.

    Returns:
        None for what is not shown to expressions since its schema does not say what it is.
    """
    if schema.get("x-kubernetes-int-or-string"):
        found = Type("dyn")
        limit = schema.get("maxLength")
        found.size = max(limit, 0) * 4 if limit is not None else _LONGEST
        return Declared(found, 1)
    kind = schema.get("type")
    if kind == "array":
        return _list(schema, name)
    if kind == "object" or root:
        return _object(_rooted(schema) if root else schema, name)
    if kind == "string":
        return _string(schema)
    if kind == "boolean":
        return Declared(_scalar(BOOL), 4)
    if kind == "integer":
        return Declared(_scalar(INT), 1)
    return _number() if kind == "number" else None


def _scalar(plain: Type) -> Type:
    # Upstream estimates no size for what a schema says is a scalar, so comparing it is free.
    found = Type(plain.kind)
    found.size = 0
    return found


_META = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}


def _rooted(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = {
        **(schema.get("properties") or {}),
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": _META,
    }
    return {**schema, "type": "object", "properties": properties}


def _number() -> Declared:
    found = _scalar(DOUBLE)
    found.convert = _unless_null(float)
    return Declared(found, 1)


def _list(schema: Mapping[str, Any], name: str) -> Declared | None:
    items = schema.get("items")
    if not isinstance(items, Mapping):
        return None
    element = declared(
        items, root=bool(items.get("x-kubernetes-embedded-resource")), name=f"{name}.@idx"
    )
    if element is None:
        return None
    found = list_of(element.type)
    limit = schema.get("maxItems")
    found.size = max(limit, 0) if limit is not None else _LONGEST // (element.least + 1)
    found.convert = _list_converter(schema, element.type.convert)
    return Declared(found, 2)


def _list_converter(
    schema: Mapping[str, Any], element: Callable[[Any], Any] | None
) -> Callable[[Any], Any] | None:
    kind = schema.get("x-kubernetes-list-type")
    wrap: Callable[[list[Any]], list[Any]] | None = None
    if kind == "set":
        wrap = SetList
    elif kind == "map":
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())

        def wrap_map(items: list[Any]) -> list[Any]:
            return MapList(items, keys)

        wrap = wrap_map
    if element is None:
        return None if wrap is None else _unless_null(wrap)
    each = element

    def convert(items: list[Any]) -> list[Any]:
        made = [None if item is None else each(item) for item in items]
        return made if wrap is None else wrap(made)

    return _unless_null(convert)


def _unless_null(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _object(schema: Mapping[str, Any], name: str) -> Declared | None:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping) and not schema.get("properties"):
        return _map(schema, more, name)
    types: dict[str, Type] = {}
    names: dict[str, str] = {}
    required = frozenset(schema.get("required") or ())
    least = 2
    for field, field_schema in (schema.get("properties") or {}).items():
        embedded = bool(field_schema.get("x-kubernetes-embedded-resource"))
        escaped = escape(field)
        found = declared(field_schema, root=embedded, name=f"{name}.{escaped}")
        if found is None:
            continue
        if escaped is not None:
            types[escaped] = found.type
            if escaped != field:
                names[escaped] = field
        if field in required and "default" not in field_schema:
            least += len(field) + found.least + 4
    made = objects(name, lambda: types)
    made.names = names
    made.size = 0
    return Declared(made, least)


def _map(schema: Mapping[str, Any], more: Mapping[str, Any], name: str) -> Declared | None:
    value = declared(
        more, root=bool(more.get("x-kubernetes-embedded-resource")), name=f"{name}.@elem"
    )
    if value is None:
        return None
    key = Type("string")
    key.size = 0  # as upstream's estimate has it
    found = map_of(key, value.type)
    limit = schema.get("maxProperties")
    found.size = max(limit, 0) if limit is not None else _LONGEST // (value.least + 6)
    each = value.type.convert
    if each is not None:
        convert = each
        found.convert = _unless_null(
            lambda entries: {
                key: None if entry is None else convert(entry) for key, entry in entries.items()
            }
        )
    return Declared(found, 2)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise EvaluationError("Invalid base64 encoded bytes") from None


_FORMATS: dict[str, tuple[str, int, int, Callable[[str], Any]]] = {
    "duration": ("duration", 3, 32, duration),
    "date": ("timestamp", 12, 12, date),
    "date-time": ("timestamp", 21, 37, timestamp),
}


def _string(schema: Mapping[str, Any]) -> Declared:
    kind = schema.get("format")
    limit = schema.get("maxLength")
    if kind in _FORMATS:
        type_kind, least, most, convert = _FORMATS[kind]
        found = Type(type_kind)
        found.size, found.convert = most, _unless_null(convert)
        return Declared(found, least)
    if kind == "byte":
        found = Type(BYTES.kind)
        found.size = max(limit, 0) if limit is not None else _LONGEST
        found.convert = _unless_null(_bytes)
        return Declared(found, 2)
    found = Type(STRING.kind)
    values = schema.get("enum")
    if limit is not None:
        found.size = max(limit, 0) * 4
    elif values:
        found.size = max((len(one) for one in values if isinstance(one, str)), default=0)
    else:
        found.size = _LONGEST
    return Declared(found, 2)
