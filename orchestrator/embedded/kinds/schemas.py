"""Structural schemas out of the JSON Schema that models make of themselves. Pure.

A CustomResourceDefinition takes OpenAPI 3.0 with further rules: no references, a type at each place
outside of ``anyOf``, nullable in place of the type ``null``.
Source: kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions,
"Specifying a structural schema".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

FREE: Final[Schema] = {"x-kubernetes-preserve-unknown-fields": True}
"""Takes anything, and keeps it."""

FREE_OBJECT: Final[Schema] = {"type": "object", **FREE}

_KEPT: Final = (
    "description",
    "maxItems",
    "maxLength",
    "maxProperties",
    "minItems",
    "minLength",
    "minProperties",
    "multipleOf",
    "pattern",
)
"""What means the same in both; ``x-kubernetes-`` extensions are kept too."""

_FORMATS: Final = frozenset(
    {
        "bsonobjectid",
        "byte",
        "cidr",
        "creditcard",
        "date",
        "date-time",
        "datetime",
        "double",
        "email",
        "float",
        "hexcolor",
        "hostname",
        "int32",
        "int64",
        "ipv4",
        "ipv6",
        "isbn",
        "isbn10",
        "isbn13",
        "mac",
        "password",
        "rgbcolor",
        "ssn",
        "uri",
        "uuid",
        "uuid3",
        "uuid4",
        "uuid5",
    }
)
"""Formats that the API server knows. Its ``duration`` is Go's ("1h30m"), that of JSON Schema is
ISO 8601's: it stays away."""

_BOUNDS: Final = {"Minimum": "minimum", "Maximum": "maximum"}
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})
_INT_OR_STRING: Final = ({"integer", "string"}, {"number", "string"})
_TYPES: Final = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))


def structural(schema: Mapping[str, Any]) -> Schema:
    """Return the structural schema that accepts what a JSON Schema does, or a little more.

    What has no structural form becomes a place that takes anything: unions of different shapes,
    models that contain themselves, tuples.

    Args:
        schema: JSON Schema with its ``$defs``, as pydantic's ``model_json_schema`` makes it.

    Raises:
        ValueError: A reference leads nowhere.
    """
    known = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    return _Converter(known).convert(schema, ())


class _Converter:
    def __init__(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        self._known = known

    def convert(self, given: Mapping[str, Any], within: tuple[str, ...]) -> Schema:
        """Convert one place; ``within`` are the references followed on the way to it."""
        ref = given.get("$ref")
        if ref is not None:
            name = str(ref).rpartition("/")[2]
            if name not in self._known:
                raise ValueError(f"the schema refers to {ref}, which it does not define")
            if name in within:
                return _described(FREE_OBJECT, given)
            beside = {key: value for key, value in given.items() if key != "$ref"}
            return self.convert({**self._known[name], **beside}, (*within, name))
        pieces = given.get("allOf")
        if pieces:
            rest = {key: value for key, value in given.items() if key != "allOf"}
            merged: dict[str, Any] = {}
            for piece in pieces:
                merged = _merged(merged, self._resolved(piece))
            return self.convert(_merged(merged, rest), within)
        choices = given.get("anyOf") or given.get("oneOf")
        if choices:
            return self._union(given, [self._resolved(one) for one in choices], within)
        kinds = given.get("type")
        if isinstance(kinds, list):
            rest = {key: value for key, value in given.items() if key != "type"}
            return self._union(rest, [{**rest, "type": kind} for kind in kinds], within)
        return self._plain(given, kinds, within)

    def _resolved(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a reference once: enough to see a type, and left in place for models."""
        name = str(given.get("$ref", "")).rpartition("/")[2]
        found = self._known.get(name)
        if found is None or "properties" in found:
            return given
        beside = {key: value for key, value in given.items() if key != "$ref"}
        return {**found, **beside}

    def _union(
        self, given: Mapping[str, Any], choices: list[Mapping[str, Any]], within: tuple[str, ...]
    ) -> Schema:
        nullable = any(_is_null(one) for one in choices)
        real = [one for one in choices if not _is_null(one)]
        beside = {k: v for k, v in given.items() if k not in ("anyOf", "oneOf", "type")}
        if len(real) == 1:
            made = self.convert({**real[0], **beside}, within)
        else:
            made = _described(self._common(real, within), beside)
        return {**made, "nullable": True} if nullable else made

    def _common(self, choices: list[Mapping[str, Any]], within: tuple[str, ...]) -> Schema:
        made = [self.convert(one, within) for one in choices]
        kinds = {one.get("type", "") for one in made}
        if kinds in _INT_OR_STRING:
            return {"x-kubernetes-int-or-string": True}
        if kinds == {"integer", "number"}:
            return {"type": "number"}
        if len(kinds) == 1 and kinds <= _SCALARS:
            (kind,) = kinds
            values = [value for one in made for value in one.get("enum", ())]
            whole = all("enum" in one for one in made)
            return {"type": kind, "enum": values} if whole else {"type": kind}
        return dict(FREE_OBJECT) if kinds == {"object"} else dict(FREE)

    def _plain(self, given: Mapping[str, Any], kind: Any, within: tuple[str, ...]) -> Schema:
        made: Schema = {key: given[key] for key in _KEPT if key in given}
        made |= {key: value for key, value in given.items() if key.startswith("x-kubernetes-")}
        values = [given["const"]] if "const" in given else list(given.get("enum", ()))
        if None in values:
            made["nullable"] = True
        if values := [value for value in values if value is not None]:
            kind = kind or _type_of(values)
            made["enum"] = values
        if kind is None:
            kind = "object" if "properties" in given else "array" if "items" in given else None
        if kind is not None:
            made["type"] = kind
        elif not _takes_itself(made):
            made |= FREE
        if given.get("format") in _FORMATS:
            made["format"] = given["format"]
        made |= _bounds(given)
        if given.get("default") is not None:
            made["default"] = given["default"]
        if kind == "array":
            made |= self._items(given, within)
        elif kind == "object":
            made |= self._properties(given, made, within)
        return made

    def _items(self, given: Mapping[str, Any], within: tuple[str, ...]) -> Schema:
        items = given.get("items")
        made = self.convert(items, within) if isinstance(items, Mapping) else dict(FREE)
        unique = given.get("uniqueItems") and made.get("type") in _SCALARS
        return {"items": made} | ({"x-kubernetes-list-type": "set"} if unique else {})

    def _properties(
        self, given: Mapping[str, Any], made: Schema, within: tuple[str, ...]
    ) -> Schema:
        found: Schema = {}
        properties = given.get("properties") or {}
        if properties:
            found["properties"] = {
                name: self.convert(one, within) for name, one in properties.items()
            }
            if given.get("required"):
                found["required"] = list(given["required"])
        more = given.get("additionalProperties")
        if not properties and isinstance(more, Mapping) and more:
            found["additionalProperties"] = self.convert(more, within)
        elif more not in (None, False) or (more is None and not properties):
            found |= {} if _takes_itself(made) else FREE
        return found


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**one, **other}
    for name in ("properties", "required"):
        if name in one and name in other:
            both: Any = one[name]
            merged[name] = {**both, **other[name]} if name == "properties" else both + other[name]
    return merged


def _described(made: Schema, given: Mapping[str, Any]) -> Schema:
    told = {key: given[key] for key in ("description", "default") if given.get(key) is not None}
    return {**told, **made}


def _is_null(one: Mapping[str, Any]) -> bool:
    return one.get("type") == "null" or one.get("const", 0) is None or one.get("enum") == [None]


def _takes_itself(made: Schema) -> bool:
    return "x-kubernetes-int-or-string" in made or "x-kubernetes-preserve-unknown-fields" in made


def _type_of(values: list[Any]) -> str | None:
    for python, name in _TYPES:
        if all(isinstance(value, python) for value in values):
            return name
    return None


def _bounds(given: Mapping[str, Any]) -> Schema:
    """Return limits of numbers: ``exclusiveMinimum`` is a number there, a flag here."""
    made: Schema = {}
    for word, name in _BOUNDS.items():
        exclusive = given.get(f"exclusive{word}")
        if isinstance(exclusive, bool) or exclusive is None:
            if name in given:
                made[name] = given[name]
            if exclusive:
                made[f"exclusive{word}"] = True
        else:
            made |= {name: exclusive, f"exclusive{word}": True}
    return made
