"""``fieldPath`` of a rule: a path to a field of the schema, ``.spec.labels['a/b']``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\['(?P<key>(?:[^'\\]|\\.)*)'\]")
_DELIMITER = re.compile(r"[.\[\]]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "'": "'",
    "\\": "\\",
}


class FieldPathError(ValueError):
    """A path that names no field; the message is upstream's."""


def normalized(path: str, schema: Mapping[str, Any]) -> str:
    """Return a path as the API writes it: ``.spec.labels[a/b]``.

    Raises:
        FieldPathError: It names no field of the schema.
    """
    parts: list[str] = []
    at = 0
    current: Any = schema
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise FieldPathError(_wrong(path, at))
        name = match["name"]
        if name is None:
            name = _ESCAPE.sub(_unescaped, match["key"])
        named, current = _below(current, name)
        parts.append(f".{name}" if named else f"[{name}]")
        at = match.end()
    return "".join(parts)


def _below(schema: Any, name: str) -> tuple[bool, Any]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if properties is not None:
        if name not in properties:
            raise FieldPathError("does not refer to a valid field")
        return True, properties[name]
    more = schema.get("additionalProperties") if isinstance(schema, Mapping) else None
    if not isinstance(more, Mapping):
        raise FieldPathError("does not refer to a valid field")
    return False, more


def _unescaped(match: re.Match[str]) -> str:
    found = _ESCAPES.get(match[1])
    if found is None:
        raise FieldPathError(f"invalid string literal: invalid escape char {match.group()}")
    return found


def _wrong(path: str, at: int) -> str:
    rest = path[at:]
    if rest.startswith("["):
        token = rest[1:].split("]", maxsplit=1)[0]
        if not token:
            return "unexpected end of JSON path"
        return f"expected single quoted string but got {token}"
    if rest == ".":
        return "unexpected end of JSON path"
    token = _DELIMITER.split(rest, maxsplit=1)[0] or rest[0]
    return f"expected [ or . but got: {token}"
