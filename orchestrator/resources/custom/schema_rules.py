"""What a schema in a CustomResourceDefinition may say.

Source of the rules and words: k8s.io/apiextensions-apiserver
pkg/apis/apiextensions/validation. Whether it is structural is `structural`'s to say; expressions
are `expressions`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    forbidden,
    invalid,
    not_supported,
    required,
)

Schema = Mapping[str, Any]

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_META: Final = frozenset({"metadata", "kind", "apiVersion"})
_NOT_SUPPORTED: Final = (
    ("id", "id is not supported"),
    ("additionalItems", "additionalItems is not supported"),
    ("patternProperties", "patternProperties is not supported"),
    ("definitions", "definitions is not supported"),
    ("dependencies", "dependencies is not supported"),
    ("$ref", "$ref is not supported"),
)
_AT_ROOT: Final = {
    "description": "Description",
    "type": "Type",
    "format": "Format",
    "title": "Title",
    "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum",
    "minimum": "Minimum",
    "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength",
    "minLength": "MinLength",
    "pattern": "Pattern",
    "maxItems": "MaxItems",
    "minItems": "MinItems",
    "uniqueItems": "UniqueItems",
    "multipleOf": "MultipleOf",
    "required": "Required",
    "items": "Items",
    "properties": "Properties",
    "externalDocs": "ExternalDocs",
    "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}
"""What may stand at the root of a kind with a status: field and its Go name."""
_UNIQUE: Final = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"


@dataclass(frozen=True, slots=True)
class _Context:
    """What holds for a place because of where it is.

    Attributes:
        defaults: Why no default may stand here; None where one may.
        meta: Inside of an object's type or metadata.
    """

    defaults: str | None = None
    meta: bool = False


def root_problems(schema: Schema, path: str, *, has_status: bool) -> list[FieldError]:
    """Check what only the root of a schema is asked."""
    found: list[FieldError] = []
    if has_status:
        for field, value in schema.items():
            if value in (None, "", False, [], {}):
                continue
            if field == "type" and value != "object":
                found.append(
                    invalid(
                        f"{path}.type",
                        value,
                        'only "object" is allowed as the type at the root of the schema if the '
                        "status subresource is enabled",
                    )
                )
                break
            if field not in _AT_ROOT:
                allowed = " ".join(_AT_ROOT.values())
                found.append(
                    invalid(
                        path,
                        schema,
                        f"only [{allowed}] fields are allowed at the root of the schema if the "
                        "status subresource is enabled",
                    )
                )
                break
    if schema.get("nullable"):
        found.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    return found


def schema_problems(schema: Schema, path: str) -> list[FieldError]:
    """Return the complaints about a whole schema, but for its structure and its expressions."""
    return _problems(schema, path, _Context(), root=True)


def _problems(schema: Any, path: str, context: _Context, *, root: bool = False) -> list[FieldError]:
    if not isinstance(schema, Mapping):
        return []
    found = _standard(schema, path, context)
    if schema.get("uniqueItems"):
        found.append(forbidden(f"{path}.uniqueItems", _UNIQUE))
    found += _children(schema, path, context, root=root)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        field = f"{path}.x-kubernetes-preserve-unknown-fields"
        found.append(invalid(field, False, "must be true or undefined"))
    found += _map_type(schema, path)
    found += _list_type(schema, path)
    return found


def _children(schema: Schema, path: str, context: _Context, *, root: bool) -> list[FieldError]:
    found: list[FieldError] = []
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    if additional is not None:
        if properties and additional is not True:
            found.append(
                forbidden(
                    f"{path}.additionalProperties",
                    "additionalProperties and properties are mutual exclusive",
                )
            )
        below = context
        if context.meta:
            below = replace(
                context, defaults="inside additionalProperties applying to object metadata"
            )
        found += _problems(additional, f"{path}.additionalProperties", below)
    whole = root or bool(schema.get("x-kubernetes-embedded-resource"))
    for name, inner in properties.items():
        below = context
        if whole and name in _META:
            below = replace(below, meta=True)
            if root:
                below = replace(below, defaults=f"in top-level {name}")
        found += _problems(inner, f"{path}.properties[{name}]", below)
    found += _problems(schema.get("not"), f"{path}.not", context)
    for junctor in ("allOf", "oneOf", "anyOf"):
        for index, inner in enumerate(schema.get(junctor) or ()):
            found += _problems(inner, f"{path}.{junctor}[{index}]", context)
    for name, inner in (schema.get("definitions") or {}).items():
        found += _problems(inner, f"{path}.definitions[{name}]", context)
    items = schema.get("items")
    if isinstance(items, list):
        for index, inner in enumerate(items):
            found += _problems(inner, f"{path}.items[{index}]", context)
    else:
        found += _problems(items, f"{path}.items", context)
    return found


def _standard(schema: Schema, path: str, context: _Context) -> list[FieldError]:
    found: list[FieldError] = []
    type_ = schema.get("type") or ""
    if type_ and type_ not in _TYPES:
        found.append(not_supported(f"{path}.type", type_, _TYPES))
    if schema.get("default") is not None and context.defaults is not None:
        found.append(forbidden(f"{path}.default", f"must not be set {context.defaults}".strip()))
    found += [
        forbidden(f"{path}.{field}", why) for field, why in _NOT_SUPPORTED if schema.get(field)
    ]
    if type_ == "null":
        found.append(
            forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
        )
    if isinstance(schema.get("items"), list):
        found.append(forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if context.meta and schema.get("x-kubernetes-embedded-resource"):
        found.append(
            forbidden(
                f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta"
            )
        )
    return found


def _typed(schema: Schema, path: str, extension: str, wanted: str) -> list[FieldError]:
    type_ = schema.get("type") or ""
    if schema.get(extension) is None or type_ == wanted:
        return []
    why = f"must be {wanted} if {extension} is specified"
    return [invalid(f"{path}.type", type_, why) if type_ else required(f"{path}.type", why)]


def _map_type(schema: Schema, path: str) -> list[FieldError]:
    found = _typed(schema, path, "x-kubernetes-map-type", "object")
    kind = schema.get("x-kubernetes-map-type")
    if kind is not None and kind not in {"atomic", "granular"}:
        found.append(not_supported(f"{path}.x-kubernetes-map-type", kind, ("atomic", "granular")))
    return found


def _list_type(schema: Schema, path: str) -> list[FieldError]:
    found = _typed(schema, path, "x-kubernetes-list-type", "array")
    kind = schema.get("x-kubernetes-list-type")
    items = schema.get("items")
    item = items if isinstance(items, Mapping) else None
    at = f"{path}.x-kubernetes-list-type"
    if not found and kind == "set" and item is not None:
        found += _set_items(item, path)
    if kind is not None and kind not in {"atomic", "set", "map"}:
        found.append(not_supported(at, kind, ("atomic", "set", "map")))
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if keys and kind != "map":
        why = "must be map if x-kubernetes-list-map-keys is non-empty"
        found.append(required(at, why) if kind is None else invalid(at, kind, why))
    if kind == "map":
        found += _map_items(items, keys, path)
    if item is not None and kind in {"set", "map"}:
        found += _items_of(item, keys if kind == "map" else [], kind, path)
    return found


def _set_items(item: Schema, path: str) -> list[FieldError]:
    why = "must be atomic as item of a list with x-kubernetes-list-type=set"
    list_type = item.get("x-kubernetes-list-type")
    if item.get("type") == "array" and list_type not in {None, "atomic"}:
        return [invalid(f"{path}.items.x-kubernetes-list-type", list_type, why)]
    if item.get("type") == "object" and item.get("x-kubernetes-map-type") != "atomic":
        # Upstream shows the list type here, which an object does not have.
        field = f"{path}.items.x-kubernetes-map-type"
        return [FieldError("FieldValueInvalid", field, f'Invalid value: "null": {why}')]
    return []


def _map_items(items: Any, keys: list[str], path: str) -> list[FieldError]:
    found: list[FieldError] = []
    at = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        found.append(required(at, "must not be empty if x-kubernetes-list-type is map"))
    if items is None:
        found.append(
            required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        )
        return found
    if isinstance(items, list):
        why = "must only have a single schema if x-kubernetes-list-type is map"
        found.append(invalid(f"{path}.items", items, why))
        return found
    type_ = items.get("type") or ""
    if type_ != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        found.append(invalid(f"{path}.items.type", type_, why))
        return found
    properties = items.get("properties") or {}
    seen = set()
    for key in keys:
        inner = properties.get(key)
        if inner is None:
            found.append(invalid(at, keys, "entries must all be names of item properties"))
        elif inner.get("type") in {"array", "object"}:
            why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            found.append(invalid(f"{path}.items.properties[{key}].type", type_, why))
        if key in seen:
            found.append(invalid(at, keys, "must not contain duplicate entries"))
        seen.add(key)
    return found


def _items_of(item: Schema, keys: list[str], kind: str, path: str) -> list[FieldError]:
    """Check that items can be told apart: neither they nor their keys may be missing."""
    found: list[FieldError] = []
    if item.get("nullable"):
        found.append(
            forbidden(
                f"{path}.items.nullable",
                f"cannot be nullable when x-kubernetes-list-type is {kind}",
            )
        )
    needed = item.get("required") or []
    for key in keys:
        inner = (item.get("properties") or {}).get(key)
        if inner is None:
            continue
        at = f"{path}.items.properties[{key}]"
        if key not in needed and inner.get("default") is None:
            found.append(
                required(
                    f"{at}.default",
                    "this property is in x-kubernetes-list-map-keys, so it must have a default or "
                    "be a required property",
                )
            )
        if inner.get("nullable"):
            found.append(
                forbidden(
                    f"{at}.nullable",
                    "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
                )
            )
    return found
