"""Packaged definitions in the form in which an API server publishes them.

The package lets every optional field be null and pins ``apiVersion`` and ``kind`` to their values,
which helps a validator; the published form has plain types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

Dialect = Literal["v2", "v3"]
Schema = dict[str, Any]

_PACKAGED: Final = "#/$defs/"
PREFIXES: Final[dict[Dialect, str]] = {"v2": "#/definitions/", "v3": "#/components/schemas/"}
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_STRING: Final = {"type": "string"}
_SPECIAL: Final[dict[tuple[Dialect, str], Schema]] = {
    ("v2", _QUANTITY): _STRING,
    ("v3", _QUANTITY): {"oneOf": [_STRING, {"type": "number"}]},
    ("v2", _INT_OR_STRING): {"type": "string", "format": "int-or-string"},
    ("v3", _INT_OR_STRING): {
        "format": "int-or-string",
        "oneOf": [{"type": "integer"}, _STRING],
    },
}


def reference(name: str, dialect: Dialect) -> Schema:
    """Return a reference to a definition."""
    return {"$ref": f"{PREFIXES[dialect]}{name}"}


def published(name: str, packaged: Schema, dialect: Dialect) -> Schema:
    """Return a definition in its published form."""
    special = _SPECIAL.get((dialect, name))
    if special is not None:
        described = packaged.get("description")
        return {"description": described, **special} if described else special
    return _schema(packaged, dialect)


def _schema(packaged: Schema, dialect: Dialect) -> Schema:
    schema: Schema = {}
    for key, value in packaged.items():
        match key:
            case "type":
                schema[key] = value[0] if isinstance(value, list) else value
            case "properties":
                schema[key] = {
                    field: _field(field, inner, dialect) for field, inner in value.items()
                }
            case "items" | "additionalProperties" if isinstance(value, dict):
                schema[key] = _schema(value, dialect)
            case "$ref":
                target = reference(value.removeprefix(_PACKAGED), dialect)
                if dialect == "v3" and len(packaged) > 1:
                    schema["allOf"] = [target]  # siblings of $ref do not count in OpenAPI 3.0
                else:
                    schema.update(target)
            case _:
                schema[key] = value
    return schema


def _field(name: str, packaged: Schema, dialect: Dialect) -> Schema:
    schema = _schema(packaged, dialect)
    if name in {"apiVersion", "kind"} and "enum" in schema:
        del schema["enum"]
    return schema


def closure(roots: Iterable[str], packaged: dict[str, Schema]) -> list[str]:
    """Return the names of all definitions reachable from some, sorted."""
    found: set[str] = set()
    waiting = [name for name in roots if name in packaged]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(packaged[name])
    return sorted(found)


def _references(schema: Schema) -> Iterator[str]:
    target = schema.get("$ref")
    if isinstance(target, str):
        yield target.removeprefix(_PACKAGED)
    for inner in schema.get("properties", {}).values():
        yield from _references(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _references(schema[key])
