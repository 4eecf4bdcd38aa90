"""Custom kinds as OpenAPI documents publish them.

Source of the rules: k8s.io/apiextensions-apiserver pkg/controller/openapi.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.resources.custom.structural import has_unsupported, structural_problems
from orchestrator.resources.kinds import Kind
from orchestrator.resources.openapi._schemas import Dialect, Schema, reference

OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_GUIDE: Final = (
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
)
_TYPE_META: Final[dict[str, Schema]] = {
    "apiVersion": {
        "description": (
            "APIVersion defines the versioned schema of this representation of an object. Servers "
            "should convert recognized schemas to the latest internal value, and may reject "
            f"unrecognized values. More info: {_GUIDE}#resources"
        ),
        "type": "string",
    },
    "kind": {
        "description": (
            "Kind is a string value representing the REST resource this object represents. Servers "
            "may infer this from the endpoint the client submits requests to. Cannot be updated. "
            f"In CamelCase. More info: {_GUIDE}#types-kinds"
        ),
        "type": "string",
    },
}
_METADATA: Final = f"Standard object's metadata. More info: {_GUIDE}#metadata"
_LIST_METADATA: Final = f"Standard list metadata. More info: {_GUIDE}#types-kinds"
_KEEPS: Final = "x-kubernetes-preserve-unknown-fields"
_JUNCTORS: Final = frozenset({"allOf", "anyOf", "oneOf", "not"})


def custom_definitions(kinds: Iterable[Kind], dialect: Dialect) -> dict[str, Schema]:
    """Return the definitions of custom kinds and their lists by name."""
    found: dict[str, Schema] = {}
    for kind in kinds:
        if kind.custom is not None:
            found[kind.definition] = _object(kind, dialect)
            found[f"{kind.definition}List"] = _list(kind, dialect)
    return found


def _object(kind: Kind, dialect: Dialect) -> Schema:
    assert kind.custom is not None
    schema = kind.custom.openapi
    keeps_all = schema is not None and (schema.get(_KEEPS) or kind.custom.keeps_unknown)
    if schema is None or _is_unpublishable(schema) or (dialect == "v2" and keeps_all):
        # With properties kubectl would take every other field for unknown.
        made: Schema = {"type": "object"}
    else:
        made = _published(schema, dialect)
        made["properties"] = {**made.get("properties", {}), **_whole(dialect)}
    selectable = [{"fieldPath": name} for name in kind.custom.selectable_fields]
    if selectable:
        made["x-kubernetes-selectable-fields"] = selectable
    return {**made, **_named(kind, kind.kind)}


def _is_unpublishable(schema: Mapping[str, Any]) -> bool:
    return has_unsupported(schema) or bool(structural_problems(schema, ""))


def _whole(dialect: Dialect) -> dict[str, Schema]:
    return {**_TYPE_META, "metadata": _described(OBJECT_META, _METADATA, dialect)}


def _described(name: str, description: str, dialect: Dialect) -> Schema:
    target = reference(name, dialect)
    if dialect == "v2":
        return {"description": description, **target}
    return {"description": description, "allOf": [target]}


def _list(kind: Kind, dialect: Dialect) -> Schema:
    return {
        "description": f"{kind.list_kind} is a list of {kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            **_TYPE_META,
            "items": {
                "description": f"List of {kind.plural}. More info: {_GUIDE}",
                "type": "array",
                "items": reference(kind.definition, dialect),
            },
            "metadata": _described(LIST_META, _LIST_METADATA, dialect),
        },
        **_named(kind, kind.list_kind),
    }


def _named(kind: Kind, name: str) -> Schema:
    called = {"group": kind.group, "kind": name, "version": kind.version}
    return {"x-kubernetes-group-version-kind": [called]}


def _published(schema: Mapping[str, Any], dialect: Dialect) -> Schema:
    """Return a place of a schema as clients are told of it."""
    if dialect == "v2" and schema.get("nullable"):
        # Swagger knows no null; a client must not refuse what the server takes.
        kept = {key: value for key, value in schema.items() if key == "description"}
        return {**kept, **({_KEEPS: True} if schema.get(_KEEPS) else {})}
    made: Schema = {}
    for key, value in schema.items():
        match key:
            case "properties":
                made[key] = {name: _published(below, dialect) for name, below in value.items()}
            case "items" | "additionalProperties" if isinstance(value, Mapping):
                made[key] = _published(value, dialect)
            case "nullable" | "x-kubernetes-validations" if not value:
                continue
            case _ if key in _JUNCTORS and dialect == "v2":
                continue
            case _:
                made[key] = value
    keeps = schema.get(_KEEPS)
    if keeps and dialect == "v2":
        made.pop("properties", None)
        made.pop("items", None)
    elif schema.get("x-kubernetes-embedded-resource"):
        made["properties"] = {**made.get("properties", {}), **_whole(dialect)}
    return made
