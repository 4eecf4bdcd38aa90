"""What a client reads when a patch does not fit: not the words for a whole body that does not.

A strategic merge patch is merged as untyped data and then converted field by field, so it is the
patch that is invalid (422), not the body (400).
Source: k8s.io/apiserver/pkg/endpoints/handlers/patch.go and
k8s.io/apimachinery/pkg/runtime/converter.go.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from orchestrator.resources.errors import FieldError, StatusError, invalid

_HANDLED: Final = re.compile(r'^\S+ in version "[^"]*" cannot be handled as a \S+?: (?P<why>.*)$')
_TYPED: Final = re.compile(r"^json: cannot unmarshal (?P<found>\w+).* of type (?P<wanted>\S+)$")
_SIMPLE: Final = ("string", "bool", "int", "uint", "float")
_GO_TYPES: Final = {"number": "int64", "array": "slice", "object": "map"}


def json_word(value: Any) -> str:
    """Return Go's word for the type of a decoded JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def printed(value: Any) -> str:
    """Render JSON data as Go's ``%+v`` does: ``map[spec:map[replicas:2]]``."""
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
        case _:
            return str(value)


def patch_does_not_fit(patch: Any, error: StatusError) -> StatusError:
    """Return what the client is told when the object that a strategic patch makes is refused.

    Args:
        patch: The decoded patch.
        error: The refusal of the patched object, as for a body.
    """
    handled = _HANDLED.match(error.message)
    if error.code != 400 or handled is None:
        return error
    why = handled["why"]
    typed = _TYPED.match(why)
    if typed is not None:
        why = _conversion(typed["found"], typed["wanted"])
    value = orjson.dumps(printed(patch)).decode()
    cause = FieldError("FieldValueInvalid", "patch", f"Invalid value: {value}: {why}")
    return invalid("", "", "", [cause])


def _conversion(found: str, wanted: str) -> str:
    if wanted.startswith(_SIMPLE):
        return f"unrecognized type: {wanted}"
    shape = "slice" if wanted.startswith("[]") else "map" if wanted.startswith("map[") else "struct"
    colon = ":" if shape == "struct" else ""
    return f"cannot restore {shape} from{colon} {_GO_TYPES.get(found, found)}"
