"""OpenAPI v2 as protobuf, as far as clients that read nothing else decide by it.

kubectl before 1.29 asks for this form only, gives up on anything else, and looks for one thing:
whether the PATCH of a kind has a ``fieldValidation`` parameter, so that the server validates. The
document lists just those operations. Definitions are left out: for patches such a kubectl then goes
by the types built into it, and `explain` reads OpenAPI v3.

Numbers are those of the published ``openapiv2/OpenAPIv2.proto``.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources.kinds import Kind, KindRegistry

MEDIA_TYPES: Final = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, *parts: bytes | str) -> bytes:
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _query_parameter(name: str) -> bytes:
    described = _field(2, "query") + _field(4, name) + _field(6, "string")
    return _field(1, _field(2, _field(3, described)))  # parameter, non-body, query


def _extension(name: str, yaml: str) -> bytes:
    return _field(1, name) + _field(2, _field(2, yaml))


_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")


def _path(kind: Kind) -> bytes:
    prefix = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    group = kind.group or '""'
    named = f"group: {group}\nkind: {kind.kind}\nversion: {kind.version}\n"
    operation = b"".join(_field(8, _query_parameter(name)) for name in _PARAMETERS)
    operation += _field(13, _extension("x-kubernetes-group-version-kind", named))
    operation += _field(13, _extension("x-kubernetes-action", "patch\n"))
    return _field(1, f"{prefix}{scope}/{kind.plural}/{{name}}") + _field(2, _field(8, operation))


def openapi_v2_protobuf(registry: KindRegistry) -> bytes:
    """Encode the PATCH operations of every kind that has one."""
    info = _field(1, "Kubernetes") + _field(2, f"v{registry.version}.0")
    paths = b"".join(_field(2, _path(kind)) for kind in registry.kinds() if "patch" in kind.verbs)
    return _field(1, "2.0") + _field(2, info) + _field(8, paths)
