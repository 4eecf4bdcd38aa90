"""OpenAPI v2 as protobuf, as far as clients that read nothing else decide by it.

kubectl before 1.29 asks for this form only, gives up on anything else, and looks for one thing:
whether the PATCH of a kind has a ``fieldValidation`` parameter, so that the server validates. The
document lists just those operations. Definitions are left out: for patches such a kubectl then goes
by the types built into it, and `explain` reads OpenAPI v3.

Numbers are those of the published ``openapiv2/OpenAPIv2.proto``.
"""

from __future__ import annotations

from typing import Final

from orchestrator.api.protobuf.wire import field
from orchestrator.resources.kinds import Kind, KindRegistry

MEDIA_TYPES: Final = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)


def _query_parameter(name: str) -> bytes:
    described = field(2, "query") + field(4, name) + field(6, "string")
    return field(1, field(2, field(3, described)))  # parameter, non-body, query


def _extension(name: str, yaml: str) -> bytes:
    return field(1, name) + field(2, field(2, yaml))


_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")


def _path(kind: Kind) -> bytes:
    prefix = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    group = kind.group or '""'
    named = f"group: {group}\nkind: {kind.kind}\nversion: {kind.version}\n"
    operation = b"".join(field(8, _query_parameter(name)) for name in _PARAMETERS)
    operation += field(13, _extension("x-kubernetes-group-version-kind", named))
    operation += field(13, _extension("x-kubernetes-action", "patch\n"))
    return field(1, f"{prefix}{scope}/{kind.plural}/{{name}}") + field(2, field(8, operation))


def openapi_v2_protobuf(registry: KindRegistry) -> bytes:
    """Encode the PATCH operations of every kind that has one."""
    info = field(1, "Kubernetes") + field(2, f"v{registry.version}.0")
    paths = b"".join(field(2, _path(kind)) for kind in registry.kinds() if "patch" in kind.verbs)
    return field(1, "2.0") + field(2, info) + field(8, paths)
