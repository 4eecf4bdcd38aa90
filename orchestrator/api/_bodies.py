"""Request bodies: from bytes in some encoding to JSON data, refused in upstream's words."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson
import yaml

from orchestrator.api._negotiation import PROTOBUF
from orchestrator.resources.errors import StatusError, bad_request, unsupported_media_type

OBJECT_TYPES: Final = ("application/json", "application/yaml", PROTOBUF)
_YAML_TYPES: Final = ("application/yaml", "application/x-yaml", "text/yaml")
_SUMMARY: Final = 30
_SMALL: Final = 1024
"""Bytes within which no nesting is too deep."""
_DEPTH: Final = 500
"""Nested collections of a YAML body; a pod has some ten."""
_TOO_DEEP: Final = f"exceeded max depth of {_DEPTH}"
_ALIASED: Final = 100_000
"""Nodes that the aliases of a YAML body may stand for."""
_SafeLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]  # the C loader exists where libyaml does
    """YAML as Kubernetes reads it: a date is a string, a duplicate key an error.

    Attributes:
        duplicates: Where duplicate keys are noted instead.
    """

    duplicates: list[str] | None = None

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (str, int, float, bool)) and key in seen:
                line = key_node.start_mark.line + 1
                problem = f'line {line}: key "{key}" already set in map'
                if self.duplicates is None:
                    raise yaml.YAMLError(problem)
                self.duplicates.append(problem)
            seen.add(key if isinstance(key, (str, int, float, bool)) else id(key))
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
    for first, entries in _SafeLoader.yaml_implicit_resolvers.items()
}


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
    except (ValueError, yaml.YAMLError, RecursionError) as error:
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

    Args:
        data: The text.
        duplicates: Where keys that occur twice are noted; without it they are errors.

    Raises:
        yaml.YAMLError: With the place.
        ValueError: Not text.
    """
    if len(data) > _SMALL or b"*" in data:
        _measure(data)
    loader = _Loader(data)
    loader.duplicates = duplicates
    try:
        value = loader.get_single_data()
    finally:
        loader.dispose()
    return _json_keys(value)


def _measure(data: bytes) -> None:
    """Refuse a document that is nested too deep or that aliases make too large.

    Composing is recursive in C, where too much depth ends the process; and what aliases repeat
    is cheap only until it is written out as JSON.
    """
    try:
        _measure_events(data)
    except yaml.YAMLError as error:
        # Newer versions of libyaml have a limit of their own.
        if "maximum nesting depth" in str(error):
            raise yaml.YAMLError(_TOO_DEEP) from error
        raise


def _measure_events(data: bytes) -> None:
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor, nodes before it
    nodes = aliased = 0
    for event in yaml.parse(data, Loader=_SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor or "", 0)
            nodes += size
            aliased += size
            if aliased > _ALIASED:
                raise yaml.YAMLError("document contains excessive aliasing")
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, nodes))
            nodes += 1
            if len(open_nodes) > _DEPTH:
                raise yaml.YAMLError(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = nodes - before
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1 + len(event.value) // 64


def _json_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_json_key(key): _json_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_keys(item) for item in value]
    if isinstance(value, (bytes, set)):
        raise yaml.YAMLError("unsupported YAML value")
    return value


def _json_key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)


def _reason(data: bytes, error: Exception) -> str:
    if isinstance(error, yaml.YAMLError):
        text = " ".join(str(error).split())
        if "exceeded maximum nesting depth" in text:  # newer releases of libyaml look themselves
            text = f"exceeded max depth of {_DEPTH}"
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
