"""Paths to fields as rules and selectable fields write them: ``.spec.labels['a.b']``.

Source of the rules and words: k8s.io/apiextensions-apiserver pkg/apiserver/schema/cel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_PARTS: Final = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+")
_ESCAPES: Final = dict(zip("abfnrtv'\\", "\a\b\f\n\r\t\v'\\", strict=True))


class FieldPathError(ValueError):
    """A path that leads nowhere; the message is upstream's."""


def valid_field_path(
    path: str, schema: Schema, *, arrays: bool = True
) -> tuple[tuple[str, ...], Schema]:
    """Follow a path through a schema.

    Args:
        path: ``.spec.replicas``.
        schema: Where it starts.
        arrays: Whether keys may stand in brackets.

    Returns:
        The steps as a field error's path has them (a key of a map as ``[key]``), and the schema
        they lead to.

    Raises:
        FieldPathError: It leads nowhere.
    """
    parts = iter(_PARTS.findall(path))
    steps: list[str] = []
    for part in parts:
        if part == ".":
            name = _next(parts)
        elif part == "[":
            if not arrays:
                raise FieldPathError("array notation is not allowed")
            name = _quoted(_next(parts))
        else:
            raise FieldPathError(f"expected [ or . but got: {part}")
        step, schema = _below(schema, name)
        steps.append(step)
        if part == "[" and (end := _next(parts)) != "]":
            raise FieldPathError(f"expected ] but got {end}")
    return tuple(steps), schema


def _next(parts: Any) -> str:
    part: str | None = next(parts, None)
    if part is None:
        raise FieldPathError("unexpected end of JSON path")
    return part


def _quoted(part: str) -> str:
    if len(part) < 2 or part[0] != "'" or part[-1] != "'":
        raise FieldPathError(f"expected single quoted string but got {part}")

    def unescape(found: re.Match[str]) -> str:
        plain = _ESCAPES.get(found[0][1])
        if plain is None:
            raise FieldPathError(f"invalid string literal: invalid escape char {found[0]}")
        return plain

    return re.sub(r"\\.", unescape, part[1:-1])


def _below(schema: Schema, name: str) -> tuple[str, Schema]:
    properties = schema.get("properties")
    if properties:
        found = properties.get(name)
        if found is None:
            raise FieldPathError("does not refer to a valid field")
        return name, found
    additional = schema.get("additionalProperties")
    if isinstance(additional, Mapping):
        return f"[{name}]", additional
    raise FieldPathError("does not refer to a valid field")


def joined(path: str, steps: tuple[str, ...]) -> str:
    """Write steps behind a path."""
    for step in steps:
        path = f"{path}{step}" if step.startswith("[") or not path else f"{path}.{step}"
    return path
