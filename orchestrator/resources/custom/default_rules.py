"""Defaults that a definition gives its objects have to be valid themselves.

Source of the rules and words: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.resources._places import DecodeError
from orchestrator.resources.custom.embedded import compile_embedded
from orchestrator.resources.custom.pruning import compile_pruner
from orchestrator.resources.custom.values import compile_values, same, value_problems
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import invalid

Schema = Mapping[str, Any]
_META: Final = frozenset({"metadata", "apiVersion", "kind"})


def default_problems(schema: Schema, path: str) -> list[FieldError]:
    """Return the complaints about every default of a schema."""
    return _problems(schema, path, root=True, meta=False)


def _problems(schema: Schema, path: str, *, root: bool, meta: bool) -> list[FieldError]:
    embedded = root or bool(schema.get("x-kubernetes-embedded-resource"))
    if embedded:
        meta = False
    found: list[FieldError] = []
    default = schema.get("default")
    if default is not None:
        found += _default(schema, default, f"{path}.default", meta=meta)
    if isinstance(schema.get("items"), Mapping):
        found += _problems(schema["items"], f"{path}.items", root=False, meta=meta)
    for name, below in (schema.get("properties") or {}).items():
        inside = meta or (embedded and name in _META)
        found += _problems(below, f"{path}.properties[{name}]", root=False, meta=inside)
    return found


def _default(schema: Schema, default: Any, path: str, *, meta: bool) -> list[FieldError]:
    found: list[FieldError] = []
    if not meta:
        try:
            pruned = compile_pruner(schema)(default, "", [])
        except DecodeError as error:
            return [invalid(path, default, str(error))]
        if not same(pruned, default):
            found.append(invalid(path, default, "must not have unknown fields"))
        whole = compile_embedded(schema)
        problems: list[FieldError] = []
        if whole is not None:
            whole(default, path, problems)
        if problems:
            return found + problems
    return found + value_problems(compile_values(schema), default, prefix=path)
