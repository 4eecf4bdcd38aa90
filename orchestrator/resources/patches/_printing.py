"""JSON values as Go prints them, since upstream's messages show them so."""

from __future__ import annotations

from typing import Any

import orjson


def printed(value: Any) -> str:
    """Render JSON data as Go's ``%v`` does: ``map[spec:map[replicas:2]]``."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case dict():
            items = (f"{key}:{printed(value[key])}" for key in sorted(value))
            return f"map[{' '.join(items)}]"
        case list():
            return f"[{' '.join(printed(item) for item in value)}]"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def go_type(value: Any) -> str:
    """Return Go's name for the type of a decoded JSON value (``%T``)."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case str():
            return "string"
        case int():
            return "int64"
        case float():
            return "float64"
        case list():
            return "[]interface {}"
        case _:
            return "map[string]interface {}"


def go_syntax(value: Any) -> str:
    """Render JSON data as Go's ``%#v`` does: ``map[string]interface {}{"a":1}``."""
    match value:
        case dict():
            items = ", ".join(f"{_quoted(key)}:{go_syntax(value[key])}" for key in sorted(value))
            return f"map[string]interface {{}}{{{items}}}"
        case list():
            return f"[]interface {{}}{{{', '.join(map(go_syntax, value))}}}"
        case str():
            return _quoted(value)
        case None:
            return "interface {}(nil)"
        case _:
            return printed(value)


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
