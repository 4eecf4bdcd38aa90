"""CustomResourceDefinitions of models, and those that kopf's operators look for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from orchestrator.embedded.errors import ApplyError
from orchestrator.embedded.kinds.schemas import FREE, FREE_OBJECT, Schema, structural
from orchestrator.resources.objects import Object

Model: TypeAlias = Any
"""A pydantic model's class, anything with ``json_schema()`` (pydantic's ``TypeAdapter``), or a JSON
Schema as a mapping."""

_META: Final = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
_SIBILANTS: Final = ("s", "x", "z", "ch", "sh")
_VOWELS: Final = "aeiou"


def is_model(source: Any) -> bool:
    """Tell whether something describes itself by a JSON Schema."""
    return any(callable(getattr(source, name, None)) for name in _SCHEMA_METHODS)


def definition_of(
    model: Model,
    *,
    group: str,
    version: str = "v1",
    kind: str | None = None,
    plural: str | None = None,
    scope: Literal["Namespaced", "Cluster"] = "Namespaced",
    status: Model | None = None,
    short_names: Sequence[str] = (),
) -> Object:
    """Return a CustomResourceDefinition whose objects are as a model says.

    Args:
        model: Of the whole object, if it has a field ``spec``; else of its spec.
        group: API group, ``example.com``.
        version: The one version.
        kind: Name of the kind; the model's own unless given.
        plural: Name in paths; made of the kind unless given.
        scope: Whether objects are in namespaces.
        status: Model of the status, if the first has none; it takes anything unless given.
        short_names: Further names for kubectl.

    Raises:
        ApplyError: It is no model, or has no name.
    """
    name = kind or getattr(model, "__name__", None) or _schema_of(model).get("title")
    if not name:
        raise ApplyError("the kind has no name: give kind=")
    whole = structural(_schema_of(model))
    properties = whole.get("properties", {})
    if "spec" in properties:
        properties = {key: one for key, one in properties.items() if key != "metadata"}
        required = [key for key in whole.get("required", ()) if key not in (*_META, "metadata")]
    else:
        properties, required = {"spec": whole}, ["spec"] if whole.get("required") else []
    if status is not None:
        properties["status"] = structural(_schema_of(status))
    schema: Schema = {
        "type": "object",
        "properties": {"status": FREE_OBJECT, **properties, **_META},
    }
    if required:
        schema["required"] = required
    if whole.get("description"):
        schema["description"] = whole["description"]
    names: dict[str, Any] = {
        "kind": name,
        "listKind": f"{name}List",
        "plural": plural or plural_of(name),
        "singular": name.lower(),
    }
    if short_names:
        names["shortNames"] = list(short_names)
    return _definition(group, version, names, scope, schema, subresources={"status": {}})


def kopf_peerings() -> list[Object]:
    """Return the kinds by which kopf's operators find each other, and one peering for all.

    Source: kopf's peering.yaml, docs.kopf.dev/en/stable/peering.
    """
    kinds = [
        _definition(
            "kopf.dev",
            "v1",
            {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower()},
            scope,
            {"type": "object", **FREE},
        )
        for kind, scope in (("ClusterKopfPeering", "Cluster"), ("KopfPeering", "Namespaced"))
    ]
    head = {"apiVersion": "kopf.dev/v1", "metadata": {"name": "default"}}
    return [*kinds, {**head, "kind": "ClusterKopfPeering"}, {**head, "kind": "KopfPeering"}]


def plural_of(kind: str) -> str:
    """Return the plural that people would give a kind in lower case."""
    word = kind.lower()
    if word.endswith(_SIBILANTS):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        return f"{word[:-1]}ies"
    return f"{word}s"


def _definition(
    group: str,
    version: str,
    names: dict[str, Any],
    scope: str,
    schema: Schema,
    subresources: Object | None = None,
) -> Object:
    served: Object = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    if subresources:
        served["subresources"] = subresources
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": {"group": group, "names": names, "scope": scope, "versions": [served]},
    }


_SCHEMA_METHODS: Final = ("model_json_schema", "json_schema", "schema")
"""Of pydantic's models, of its adapters, and of its models of old."""


def _schema_of(model: Model) -> Mapping[str, Any]:
    if isinstance(model, Mapping):
        return model
    for name in _SCHEMA_METHODS:
        method = getattr(model, name, None)
        if callable(method):
            found: Mapping[str, Any] = method()
            return found
    raise ApplyError(
        f"{model!r} has no JSON Schema: give a pydantic model, a TypeAdapter or the schema itself"
    )
