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
from orchestrator.resources.patches import printed

_HANDLED: Final = re.compile(r'^\S+ in version "[^"]*" cannot be handled as a \S+?: (?P<why>.*)$')
_TYPED: Final = re.compile(r"^json: cannot unmarshal (?P<found>\w+).* of type (?P<wanted>\S+)$")
_SIMPLE: Final = ("string", "bool", "int", "uint", "float")
_GO_TYPES: Final = {"number": "int64", "array": "slice", "object": "map"}


def patched_is_invalid(shown: str, why: str) -> StatusError:
    """Return the 422 for a patch whose result cannot be decoded.

    Args:
        shown: The patched object as JSON, or for a strategic merge the patch as Go prints it.
        why: What is wrong.
    """
    value = orjson.dumps(shown).decode()
    cause = FieldError("FieldValueInvalid", "patch", f"Invalid value: {value}: {why}")
    return invalid("", "", "", [cause])


def reason_of(error: StatusError) -> str:
    """Return why an object could not be decoded, without what it should have been."""
    handled = _HANDLED.match(error.message)
    return error.message if handled is None else handled["why"]


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
    return patched_is_invalid(printed(patch), why)


def _conversion(found: str, wanted: str) -> str:
    if wanted.startswith(_SIMPLE):
        return f"unrecognized type: {wanted}"
    shape = "slice" if wanted.startswith("[]") else "map" if wanted.startswith("map[") else "struct"
    colon = ":" if shape == "struct" else ""
    return f"cannot restore {shape} from{colon} {_GO_TYPES.get(found, found)}"
