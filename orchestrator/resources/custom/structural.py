"""Structural schemas: what a schema has to keep to so that fields can be pruned and defaulted.

Source of the rules and words: k8s.io/apiextensions-apiserver pkg/apiserver/schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from orchestrator.resources.custom.patterns import PatternError, compile_pattern
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import forbidden, invalid, required

Schema = Mapping[str, Any]
_Level = Literal["root", "item", "field"]

_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_TYPELESS: Final[dict[_Level, str]] = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_UNSUPPORTED: Final = (
    "id",
    "additionalItems",
    "patternProperties",
    "definitions",
    "dependencies",
    "$ref",
    "$schema",
)
_FORBIDDEN_BELOW: Final = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_METADATA_MAY: Final = frozenset({"type", "default", "properties"})


def has_unsupported(schema: Any) -> bool:
    """Tell whether a schema uses a construct that has no structural form at all."""
    if not isinstance(schema, Mapping):
        return False
    if any(schema.get(field) for field in _UNSUPPORTED if field != "$schema"):
        return True
    if isinstance(schema.get("items"), list):
        return True
    return any(has_unsupported(below) for below in _children(schema))


def _children(schema: Schema) -> Iterator[Any]:
    yield from (schema.get("properties") or {}).values()
    yield schema.get("items")
    yield schema.get("additionalProperties")
    yield schema.get("not")
    for junctor in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(junctor) or ()


def structural_problems(schema: Schema, path: str) -> list[FieldError]:
    """Return why a schema is not structural, sorted as upstream does."""
    found = _invariants(schema, "root", path)
    found += _completeness(schema, schema, path, path)
    return sorted(found, key=str)


def _invariants(schema: Schema, level: _Level, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    items, type_ = schema.get("items"), schema.get("type") or ""
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    if type_ == "array" and items is None:
        found.append(required(f"{path}.items", "must be specified"))
    if isinstance(items, Mapping):
        found += _invariants(items, "item", f"{path}.items")
    for name, below in properties.items():
        found += _invariants(below, "field", f"{path}.properties[{name}]")
    if additional is not None:
        if level == "root":
            found.append(forbidden(f"{path}.additionalProperties", "must not be used at the root"))
        if isinstance(additional, Mapping):
            found += _invariants(additional, "field", f"{path}.additionalProperties")
    found += _extensions(schema, path)
    found += _value_validation(schema, path, skip=_skipped(schema))
    found += _types(schema, level, path)
    found += _metadata(schema, level, path)
    return found


def _types(schema: Schema, level: _Level, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    type_ = schema.get("type") or ""
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if embedded and type_ != "object":
        why = "must be object if x-kubernetes-embedded-resource is true"
        found.append(
            invalid(f"{path}.type", type_, why) if type_ else required(f"{path}.type", why)
        )
    elif not type_ and not schema.get("x-kubernetes-int-or-string") and not keeps:
        found.append(required(f"{path}.type", _TYPELESS[level]))
    if embedded and schema.get("additionalProperties") is not None:
        found.append(
            forbidden(
                f"{path}.additionalProperties",
                "must not be used if x-kubernetes-embedded-resource is set",
            )
        )
    if level == "root" and type_ and type_ != "object":
        found.append(invalid(f"{path}.type", type_, "must be object at the root"))
    if embedded and not keeps and not schema.get("properties"):
        found.append(
            required(
                f"{path}.properties",
                "must not be empty if x-kubernetes-embedded-resource is true without "
                "x-kubernetes-preserve-unknown-fields",
            )
        )
    return found


def _metadata(schema: Schema, level: _Level, path: str) -> list[FieldError]:
    """Check what a schema says about the type and metadata of an object."""
    found: list[FieldError] = []
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    whole = level == "root" or bool(schema.get("x-kubernetes-embedded-resource"))
    for name in ("kind", "apiVersion"):
        if whole and name in properties and properties[name].get("type") != "string":
            given = properties[name].get("type") or ""
            found.append(invalid(f"{path}.properties[{name}].type", given, "must be string"))
    metadata = properties.get("metadata")
    if metadata is None:
        return found
    at = f"{path}.properties[metadata]"
    if whole and metadata.get("type") != "object":
        found.append(invalid(f"{at}.type", metadata.get("type") or "", "must be object"))
    if level == "root":
        given = {field for field, value in metadata.items() if value not in (None, "", False, [])}
        others = set(metadata.get("properties") or ()) - {"name", "generateName"}
        if given - _METADATA_MAY or others:
            found.append(
                forbidden(
                    at,
                    "must not specify anything other than name and generateName, but metadata is "
                    "implicitly specified",
                )
            )
    return found


def _extensions(schema: Schema, path: str) -> list[FieldError]:
    if not schema.get("x-kubernetes-int-or-string"):
        return []
    return [
        invalid(f"{path}.{field}", True, "must be false if x-kubernetes-int-or-string is true")
        for field in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
        if schema.get(field)
    ]


def _skipped(schema: Schema) -> str:
    """Name the place of the int-or-string alternatives, which may have types."""
    if schema.get("anyOf") == _INT_OR_STRING:
        return "anyOf"
    first: Schema = next(iter(schema.get("allOf") or ()), {})
    return "allOf" if first.get("anyOf") == _INT_OR_STRING else ""


def _value_validation(schema: Schema, path: str, skip: str = "") -> list[FieldError]:
    found: list[FieldError] = []
    if skip != "anyOf":
        for index, below in enumerate(schema.get("anyOf") or ()):
            found += _nested(below, f"{path}.anyOf[{index}]")
    for index, below in enumerate(schema.get("allOf") or ()):
        inside = "anyOf" if skip == "allOf" and index == 0 else ""
        found += _nested(below, f"{path}.allOf[{index}]", inside)
    for index, below in enumerate(schema.get("oneOf") or ()):
        found += _nested(below, f"{path}.oneOf[{index}]")
    if isinstance(schema.get("not"), Mapping):
        found += _nested(schema["not"], f"{path}.not")
    pattern = schema.get("pattern")
    if pattern:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            found.append(
                invalid(
                    f"{path}.pattern",
                    pattern,
                    f"must be a valid regular expression, but isn't: {error}",
                )
            )
    return found


def _nested(schema: Schema, path: str, skip: str = "") -> list[FieldError]:
    found = _value_validation(schema, path, skip)
    if isinstance(schema.get("items"), Mapping):
        found += _nested(schema["items"], f"{path}.items")
    properties = schema.get("properties") or {}
    for name, below in properties.items():
        found += _nested(below, f"{path}.properties[{name}]")
    for field, why in _FORBIDDEN_BELOW:
        value = schema.get(field)
        if value or (field in {"default", "additionalProperties"} and value is not None):
            found.append(forbidden(f"{path}.{field}", why))
    if "metadata" in properties:
        found.append(
            forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")
        )
    return found


def _completeness(rules: Schema, schema: Any, at: str, rules_at: str) -> list[FieldError]:
    """Check that what alternatives restrict is specified outside of them too."""
    found: list[FieldError] = []
    below: list[tuple[Schema, str]] = []
    if isinstance(rules.get("not"), Mapping):
        below.append((rules["not"], f"{rules_at}.not"))
    for junctor in ("allOf", "anyOf", "oneOf"):
        below += [
            (one, f"{rules_at}.{junctor}[{index}]")
            for index, one in enumerate(rules.get(junctor) or ())
        ]
    for one, where in below:
        found += _nested_completeness(one, schema, at, where)
    return found


def _nested_completeness(rules: Schema, schema: Any, at: str, rules_at: str) -> list[FieldError]:
    if not isinstance(schema, Mapping):
        return [required(at, f"because it is defined in {rules_at}")]
    found = _completeness(rules, schema, at, rules_at)
    if isinstance(rules.get("items"), Mapping):
        found += _nested_completeness(
            rules["items"], schema.get("items"), f"{at}.items", f"{rules_at}.items"
        )
    specified = schema.get("properties") or {}
    for name, below in (rules.get("properties") or {}).items():
        step = f".properties[{name}]"
        found += _nested_completeness(below, specified.get(name), at + step, rules_at + step)
    return found
