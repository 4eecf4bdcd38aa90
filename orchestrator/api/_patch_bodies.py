"""Bodies of PATCH requests: what they are parsed into, and what strict decoding finds in them.

Source of the words: k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from orchestrator.api._bodies import media_type_error, parse_yaml
from orchestrator.api._requests import APPLY_PATCH
from orchestrator.resources.decoding import duplicate_fields
from orchestrator.resources.errors import bad_request
from orchestrator.resources.kinds import Kind

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
PATCH_TYPES: Final = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
CUSTOM_PATCH_TYPES: Final = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)
"""Custom kinds have no merge keys that a strategic merge could go by."""

_OPERATION_FIELDS: Final = frozenset({"op", "path", "from", "value"})
_MAP: Final = "map[string]interface {}"


class Patch(NamedTuple):
    """A parsed body.

    Attributes:
        form: Its media type.
        value: What it holds: a list of operations, or an object.
        problems: What strict decoding objects to, in the patch itself.
    """

    form: str
    value: Any
    problems: list[str]


def check_patch_type(form: str, kind: Kind) -> None:
    """Refuse a media type that is no patch, or none for this kind.

    Raises:
        StatusError: 415.
    """
    accepted = PATCH_TYPES if kind.custom is None else CUSTOM_PATCH_TYPES
    if form not in accepted:
        raise media_type_error(accepted)


def parse_patch(data: bytes, form: str, validation: str = "Warn") -> Patch:
    """Parse a patch body.

    Args:
        data: The body.
        form: Its media type, one of `PATCH_TYPES`.
        validation: ``Ignore`` looks for no problems.

    Raises:
        StatusError: 400 in upstream's words.
    """
    if form == APPLY_PATCH:
        return _parse_applied(data, validation)
    prefix = "" if form == STRATEGIC_PATCH else "error decoding patch: "
    try:
        value = orjson.loads(data)
    except ValueError as error:
        text = str(error) if data.strip() else "unexpected end of JSON input"
        raise bad_request(prefix + text) from error
    if form == JSON_PATCH:
        _check_operations(value, validation)
        problems = [] if validation == "Ignore" else _operation_problems(data, value)
        return Patch(form, value, problems)
    if not isinstance(value, dict):
        raise bad_request(
            f"{prefix}json: cannot unmarshal {json_word(value)} into Go value of type {_MAP}"
        )
    duplicates = [] if validation == "Ignore" else duplicate_fields(data, value)
    return Patch(form, value, [f'duplicate field "{field}"' for field in duplicates])


def _parse_applied(data: bytes, validation: str) -> Patch:
    value = _json_object(data)
    if value is not None:
        return Patch(APPLY_PATCH, value, [])
    duplicates: list[str] = []
    try:
        value = parse_yaml(data, duplicates)
    except (ValueError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise bad_request(f"error decoding YAML: {text}") from error
    if not isinstance(value, dict):
        raise bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot "
            f"unmarshal {json_word(value)} into Go value of type {_MAP}"
        )
    if not duplicates or validation == "Ignore":
        return Patch(APPLY_PATCH, value, [])
    if validation == "Strict":
        lines = "".join(f"\n  {text}" for text in duplicates)
        raise bad_request(
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal "
            f"errors:{lines}"
        )
    return Patch(APPLY_PATCH, value, duplicates)


def _json_object(data: bytes) -> dict[str, Any] | None:
    """Return what clean JSON holds; None leaves the body to the YAML parser, and its words.

    JSON is YAML, it is what programs send, and it is read thirty times as fast.
    """
    if not data.startswith(b"{"):
        return None
    try:
        value = orjson.loads(data)
    except ValueError:
        return None
    return None if duplicate_fields(data, value) else value


def _check_operations(value: Any, validation: str) -> None:
    """Refuse what is no list of operations."""
    wrong: Any = value
    wanted = ""
    if not isinstance(value, list):
        wanted = "[]handlers.jsonPatchOp"
    else:
        for operation in value:
            if not isinstance(operation, dict):
                wrong, wanted = operation, "handlers.jsonPatchOp"
                break
    if not wanted:
        return
    word = json_word(wrong)
    if validation == "Ignore":
        wanted = wanted.replace("[]handlers.jsonPatchOp", "jsonpatch.Patch")
        wanted = wanted.replace("handlers.jsonPatchOp", "jsonpatch.Operation")
        raise bad_request(f"json: cannot unmarshal {word} into Go value of type {wanted}")
    raise bad_request(
        f"error decoding patch: json: cannot unmarshal {word} into Go value of type {wanted}"
    )


def _operation_problems(data: bytes, operations: list[dict[str, Any]]) -> list[str]:
    problems = [
        f'json patch unknown field "[{index}].{name}"'
        for index, operation in enumerate(operations)
        if not _OPERATION_FIELDS.issuperset(operation)
        for name in operation
        if name not in _OPERATION_FIELDS
    ]
    found = duplicate_fields(data, operations)
    return [*(f'json patch duplicate field "{field}"' for field in found), *problems]


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
