"""Whole OpenAPI documents. Built when asked for; whoever serves them keeps the encoded bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from orchestrator.resources.definitions import published_definitions
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.openapi._custom import LIST_META, OBJECT_META, custom_definitions
from orchestrator.resources.openapi._operations import DELETE_OPTIONS, PATCH, STATUS
from orchestrator.resources.openapi._paths import DefinitionOf, paths_of
from orchestrator.resources.openapi._schemas import Dialect, Schema, closure, published
from orchestrator.resources.openapi._usage import REFERRED, usage_definitions
from orchestrator.resources.usage_metrics import KINDS

Document = dict[str, Any]

_ALWAYS: Final = (
    DELETE_OPTIONS,
    PATCH,
    STATUS,
    "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList",
)
_BODIES: Final = {
    "eviction": "io.k8s.api.policy.v1.Eviction",
    "binding": "io.k8s.api.core.v1.Binding",
    "scale": "io.k8s.api.autoscaling.v1.Scale",
    "token": "io.k8s.api.authentication.v1.TokenRequest",
}
"""Definitions that subresources take besides those of the kinds."""

_SECURITY: Final = {
    "BearerToken": {
        "description": "Bearer Token authentication",
        "in": "header",
        "name": "authorization",
        "type": "apiKey",
    }
}


def openapi_v3_index(registry: KindRegistry) -> Document:
    """Return what ``/openapi/v3`` answers: a relative URL for each group and version.

    The hash in the URL lets clients keep a document for ever; it changes with the kinds served.
    """
    paths: dict[str, Any] = {}
    for group, versions in registry.groups().items():
        for version in versions:
            served = f"apis/{group}/{version}" if group else f"api/{version}"
            kinds = registry.in_group(group, version)
            described = registry.version, kinds, [_generation(kind) for kind in kinds]
            digest = hashlib.sha256(repr(described).encode()).hexdigest()
            paths[served] = {"serverRelativeURL": f"/openapi/v3/{served}?hash={digest.upper()}"}
    return {"paths": paths}


def openapi_v3(registry: KindRegistry, group_version: str) -> Document:
    """Return the document of one group and version: ``apps/v1``, or ``v1`` for the core group.

    Raises:
        KeyError: Nothing is served there.
    """
    group, _, version = group_version.rpartition("/")
    kinds = registry.in_group(group, version)
    if not kinds:
        raise KeyError(group_version)
    packaged = published_definitions(registry.version)
    return {
        "openapi": "3.0.0",
        "info": _info(registry),
        "paths": paths_of(kinds, _finder(packaged), "v3"),
        "components": {
            "schemas": _schemas(kinds, packaged, "v3"),
            "securitySchemes": _SECURITY,
        },
    }


def openapi_v3_usage_index(registry: KindRegistry) -> dict[str, Any]:
    """Return the entry of ``metrics.k8s.io`` in the index, for whoever serves it."""
    served = f"apis/{KINDS[0].api_version}"
    return {served: {"serverRelativeURL": f"/openapi/v3/{served}?hash={registry.version}"}}


def openapi_v3_usage(registry: KindRegistry) -> Document:
    """Return the document of ``metrics.k8s.io``, whose kinds are in no registry."""
    packaged = published_definitions(registry.version)
    names = closure([*_ALWAYS, *REFERRED], packaged)
    return {
        "openapi": "3.0.0",
        "info": _info(registry),
        "paths": paths_of(KINDS, _finder(packaged), "v3"),
        "components": {
            "schemas": {
                **{name: published(name, packaged[name], "v3") for name in names},
                **usage_definitions("v3"),
            },
            "securitySchemes": _SECURITY,
        },
    }


def openapi_v2(registry: KindRegistry, *, usage: bool = False) -> Document:
    """Return what ``/openapi/v2`` answers: all groups and versions in one Swagger document.

    Args:
        registry: What is served.
        usage: Whether ``metrics.k8s.io`` is, besides.
    """
    packaged = published_definitions(registry.version)
    kinds = registry.kinds()
    more = usage_definitions("v2") if usage else {}
    return {
        "swagger": "2.0",
        "info": _info(registry),
        "paths": paths_of((*kinds, *(KINDS if usage else ())), _finder(packaged), "v2"),
        "definitions": {**_schemas(kinds, packaged, "v2"), **more},
        "securityDefinitions": _SECURITY,
        "security": [{"BearerToken": []}],
    }


def _info(registry: KindRegistry) -> Document:
    return {"title": "Kubernetes", "version": f"v{registry.version}.0"}


def _generation(kind: Kind) -> tuple[str, int] | None:
    """Return what tells one schema of a custom kind from the next."""
    if kind.custom is None:
        return None
    metadata = kind.custom.crd["metadata"]
    return metadata["uid"], metadata.get("generation") or 0


def _finder(packaged: dict[str, Schema]) -> DefinitionOf:
    names = {
        (found[0]["group"], found[0]["version"], found[0]["kind"]): name
        for name, schema in packaged.items()
        if len(found := schema.get("x-kubernetes-group-version-kind", ())) == 1
    }

    def find(group: str, version: str, kind: str) -> str:
        return names.get((group, version, kind), "")

    return find


def _schemas(
    kinds: Sequence[Kind], packaged: dict[str, Schema], dialect: Dialect
) -> dict[str, Schema]:
    roots = [*_ALWAYS]
    for kind in kinds:
        roots += [kind.definition, f"{kind.definition}List"]
        roots += [_BODIES[name] for name in kind.subresources if name in _BODIES]
    custom = [kind for kind in kinds if kind.custom is not None]
    if custom:
        roots += [OBJECT_META, LIST_META]
    names = closure(roots, packaged)
    found = {name: published(name, packaged[name], dialect) for name in names}
    return {**found, **custom_definitions(custom, dialect)} if custom else found
