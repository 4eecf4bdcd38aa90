"""Request bodies: from bytes in some encoding to JSON data, refused in upstream's words."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from orchestrator.api._negotiation import PROTOBUF
from orchestrator.resources.errors import StatusError, bad_request, unsupported_media_type

OBJECT_TYPES: Final = ("application/json", "application/yaml", PROTOBUF)
_YAML_TYPES: Final = ("application/yaml", "application/x-yaml", "text/yaml")
_SUMMARY: Final = 30


class YamlError(ValueError):
    """A body is no YAML that can be used; the message says where and why."""


def media_type_error(accepted: tuple[str, ...]) -> StatusError:
    """415 with the types that would have been read."""
    return unsupported_media_type(
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )


def is_json(content_type: str) -> bool:
    """Tell whether a body is JSON; that is what no media type stands for."""
    return content_type in ("", "application/json")


def is_yaml(content_type: str) -> bool:
    """Tell whether a body's media type is YAML."""
    return content_type in _YAML_TYPES


def is_protobuf(content_type: str) -> bool:
    """Tell whether a body's media type is protobuf."""
    return content_type == PROTOBUF


def check_object_type(content_type: str, *, protobuf: bool = True) -> None:
    """Refuse a body that is neither JSON nor YAML nor, where that is possible, protobuf.

    No type at all means JSON.
    """
    if content_type in ("", "application/json") or content_type in _YAML_TYPES:
        return
    if not protobuf:
        raise media_type_error(OBJECT_TYPES[:2])
    if content_type != PROTOBUF:
        raise media_type_error(OBJECT_TYPES)


def parse_object(data: bytes, content_type: str, expected: str) -> dict[str, Any]:
    """Parse a body that holds one object.

    Args:
        data: The body.
        content_type: Its media type, already checked.
        expected: Kind that should be in it, for the message.

    Raises:
        StatusError: 400, not parseable or not an object.
    """
    value: Any
    try:
        if content_type == PROTOBUF:
            value = _decode_protobuf(data, expected)
        elif is_yaml(content_type):
            value = parse_yaml(data)
        else:
            value = orjson.loads(data)
    except (ValueError, RecursionError) as error:
        raise bad_request(_unrecognized(data, expected, _reason(data, error))) from error
    if not isinstance(value, dict):
        found = "null" if value is None else type(value).__name__
        reason = f"json parse error: json: cannot unmarshal {found} into Go value of type struct"
        raise bad_request(_unrecognized(data, expected, reason))
    return value


def _decode_protobuf(data: bytes, expected: str) -> dict[str, Any]:
    from orchestrator.api.protobuf import ProtobufError, decode_object

    try:
        return decode_object(data)
    except ProtobufError as error:
        raise bad_request(_unrecognized(data, expected, str(error))) from error


def parse_yaml(data: bytes, duplicates: list[str] | None = None) -> Any:
    """Parse YAML the way sigs.k8s.io/yaml does: keys become strings, dates stay strings.

    What does it is loaded with the first such body: clients send JSON unless a person wrote it.

    Args:
        data: The text.
        duplicates: Where keys that occur twice are noted; without it they are errors.

    Raises:
        YamlError: With the place.
        ValueError: Not text.
    """
    from orchestrator.api._yaml_bodies import parse

    return parse(data, duplicates)


def parse_yaml_documents(data: bytes) -> list[Any]:
    """Parse all documents of a text, as `parse_yaml` does one.

    Raises:
        YamlError: With the place.
    """
    from orchestrator.api._yaml_bodies import parse_all

    return parse_all(data)


def _reason(data: bytes, error: Exception) -> str:
    if isinstance(error, YamlError):
        text = " ".join(str(error).split())
        return f"error converting YAML to JSON: yaml: {text}"
    if isinstance(error, json.JSONDecodeError):
        where = f" (line {error.lineno}, column {error.colno})"
        text = error.msg + where if data.strip() else "unexpected end of JSON input"
    else:
        text = str(error)
    return f"couldn't get version/kind; json parse error: {text}"


def _unrecognized(data: bytes, expected: str, reason: str) -> str:
    return (
        f"the object provided is unrecognized (must be of type {expected}): {reason} "
        f"({summarize(data)})"
    )


def summarize(data: bytes) -> str:
    """Show the beginning of a body, as upstream does: text for JSON, hexadecimal for the rest."""
    if not data:
        return "<empty>"
    if data[:1] == b"{":
        text = data.decode("utf-8", "replace")
        return text if len(text) <= _SUMMARY else text[:_SUMMARY] + " ..."
    encoded = data.hex()
    return encoded if len(encoded) <= _SUMMARY else encoded[:_SUMMARY] + " ..."
