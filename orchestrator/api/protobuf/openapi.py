"""OpenAPI v2 as protobuf, the only form that kubectl before 1.29 reads.

Such a kubectl looks for two things: whether the PATCH of a kind has a ``fieldValidation``
parameter, so that the server validates, and the definitions, for `explain` and for the merge keys
of its patches. The document has both; of the paths it has just those operations.

Numbers are those of the published ``openapiv2/OpenAPIv2.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from orchestrator.api.protobuf.wire import FIXED64, VARINT, field, varint
from orchestrator.resources.kinds import Kind, KindRegistry

_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")
_DOUBLE: Final = struct.Struct("<d")
_EXTENSION: Final = 31


def _query_parameter(name: str) -> bytes:
    described = field(2, "query") + field(4, name) + field(6, "string")
    return field(1, field(2, field(3, described)))  # parameter, non-body, query


def _any(value: Any) -> bytes:
    return field(2, orjson.dumps(value))  # as YAML, of which JSON is a part


def _extension(name: str, value: Any) -> bytes:
    return field(1, name) + field(2, _any(value))


def _path(kind: Kind) -> bytes:
    prefix = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    named = {"group": kind.group, "kind": kind.kind, "version": kind.version}
    operation = b"".join(field(8, _query_parameter(name)) for name in _PARAMETERS)
    operation += field(13, _extension("x-kubernetes-group-version-kind", named))
    operation += field(13, _extension("x-kubernetes-action", "patch"))
    return field(1, f"{prefix}{scope}/{kind.plural}/{{name}}") + field(2, field(8, operation))


def _text(number: int) -> Callable[[str], bytes]:
    return lambda value: field(number, value)


def _integer(number: int) -> Callable[[int], bytes]:
    tag = varint(number << 3 | VARINT)
    return lambda value: tag + varint(int(value))


def _double(number: int) -> Callable[[float], bytes]:
    tag = varint(number << 3 | FIXED64)
    return lambda value: tag + _DOUBLE.pack(value)


def _types(value: str | list[str]) -> bytes:
    names = [value] if isinstance(value, str) else value
    return field(22, *(field(1, name) for name in names))


def _additional(value: bool | Mapping[str, Any]) -> bytes:
    if isinstance(value, bool):
        return field(21, b"\x10\x01" if value else b"\x10\x00")
    return field(21, field(1, _schema(value)))


def _items(value: Mapping[str, Any]) -> bytes:
    return field(23, field(1, _schema(value)))


def _named(schemas: Mapping[str, Any]) -> bytes:
    return b"".join(
        field(1, field(1, name), field(2, _schema(schema))) for name, schema in schemas.items()
    )


_FIELDS: Final[dict[str, Callable[[Any], bytes]]] = {
    "$ref": _text(1),
    "format": _text(2),
    "title": _text(3),
    "description": _text(4),
    "default": lambda value: field(5, _any(value)),
    "multipleOf": _double(6),
    "maximum": _double(7),
    "exclusiveMaximum": _integer(8),
    "minimum": _double(9),
    "exclusiveMinimum": _integer(10),
    "maxLength": _integer(11),
    "minLength": _integer(12),
    "pattern": _text(13),
    "maxItems": _integer(14),
    "minItems": _integer(15),
    "uniqueItems": _integer(16),
    "maxProperties": _integer(17),
    "minProperties": _integer(18),
    "required": lambda value: b"".join(field(19, name) for name in value),
    "enum": lambda value: b"".join(field(20, _any(item)) for item in value),
    "additionalProperties": _additional,
    "type": _types,
    "items": _items,
    "allOf": lambda value: b"".join(field(24, _schema(schema)) for schema in value),
    "properties": lambda value: field(25, _named(value)),
}


def _schema(schema: Mapping[str, Any]) -> bytes:
    parts = []
    for name, value in schema.items():
        write = _FIELDS.get(name)
        if write is not None:
            parts.append(write(value))
        elif name.startswith("x-"):
            parts.append(field(_EXTENSION, _extension(name, value)))
    return b"".join(parts)


def openapi_v2_protobuf(
    registry: KindRegistry, definitions: Mapping[str, Mapping[str, Any]]
) -> bytes:
    """Encode the definitions, and the PATCH operations of every kind that has one."""
    info = field(1, "Kubernetes") + field(2, f"v{registry.version}.0")
    paths = b"".join(field(2, _path(kind)) for kind in registry.kinds() if "patch" in kind.verbs)
    return b"".join(
        (field(1, "2.0"), field(2, info), field(8, paths), field(9, _named(definitions)))
    )
