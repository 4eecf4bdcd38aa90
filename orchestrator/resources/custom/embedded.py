"""Whole objects inside custom resources: ``x-kubernetes-embedded-resource``.

Source of the rules: k8s.io/apiextensions-apiserver pkg/apiserver/schema/objectmeta.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.resources import names
from orchestrator.resources._places import DecodeError
from orchestrator.resources.custom.pruning import coerce_metadata
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import invalid, required
from orchestrator.resources.strategies._metadata import metadata_check

Schema = Mapping[str, Any]
Embedded = Callable[[Any, str, "list[FieldError]"], None]

_NAMED = "fakename"
_IN_NAMESPACE = metadata_check(names.path_segment, namespaced=True)
_OUTSIDE = metadata_check(names.path_segment, namespaced=False)


def compile_embedded(schema: Schema) -> Embedded | None:
    """Compile the check of a place; None when no object is embedded at it or below."""
    fields = {
        name: made
        for name, below in (schema.get("properties") or {}).items()
        if (made := compile_embedded(below)) is not None
    }
    additional = schema.get("additionalProperties")
    others = compile_embedded(additional) if isinstance(additional, Mapping) else None
    items = schema.get("items")
    item_check = compile_embedded(items) if isinstance(items, Mapping) else None
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    known = frozenset(schema.get("properties") or {})
    if not (fields or others or item_check or embedded):
        return None

    def check(value: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is list:
            if item_check is not None:
                for index, item in enumerate(value):
                    item_check(item, f"{path}[{index}]", found)
        elif type(value) is dict:
            if embedded:
                found.extend(embedded_problems(value, path))
            for key, item in value.items():
                below = fields.get(key)
                if below is not None:
                    below(item, f"{path}.{key}" if path else key, found)
                elif others is not None and key not in known:
                    others(item, f"{path}[{key}]", found)

    return check


def embedded_problems(value: dict[str, Any], path: str = "") -> list[FieldError]:
    """Return the complaints about one object's type and metadata."""
    found = [
        required(_join(path, field))
        for field in ("apiVersion", "kind")
        if not value.get(field) and value.get(field) in {None, ""}
    ]
    version = value.get("apiVersion")
    if version:
        where = _join(path, "apiVersion")
        if not isinstance(version, str):
            found.append(invalid(where, version, "must be a string"))
        elif version.count("/") > 1:
            found.append(invalid(where, version, f"unexpected GroupVersion string: {version}"))
    kind = value.get("kind")
    if kind:
        where = _join(path, "kind")
        if not isinstance(kind, str):
            found.append(invalid(where, kind, "must be a string"))
        elif problems := names.dns_label_1035(kind.lower()):
            found.append(invalid(where, kind, MIXED_CASE + ",".join(problems)))
    if "metadata" in value:
        found.extend(_metadata_problems(value["metadata"], _join(path, "metadata")))
    return found


MIXED_CASE = "may have mixed case, but should otherwise match: "


def _metadata_problems(metadata: Any, path: str) -> list[FieldError]:
    try:
        read = coerce_metadata(metadata, path, [])
    except DecodeError as error:
        return [invalid(path, metadata, str(error))]
    named = {**read, "name": read.get("name") or _NAMED}
    check = _IN_NAMESPACE if named.get("namespace") else _OUTSIDE
    return [
        FieldError(one.reason, f"{path}{one.field.removeprefix('metadata')}", one.message)
        for one in check({"metadata": named})
    ]


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field
