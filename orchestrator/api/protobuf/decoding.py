"""From a protobuf body to the JSON-shaped object it stands for."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any, Final

import orjson

from orchestrator.api.protobuf.tables import Field, message, message_of
from orchestrator.api.protobuf.wire import ProtobufError, Value, read_fields
from orchestrator.resources.timestamps import format_micro, format_time

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_MAX_DEPTH: Final = 100
_SIGN: Final = 1 << 63
_ABSENT: Final = object()

__all__ = ["MEDIA_TYPE", "ProtobufError", "decode_object"]


def decode_object(data: bytes) -> dict[str, Any]:
    """Decode a body in Kubernetes' envelope.

    Returns:
        The object with ``apiVersion`` and ``kind``.

    Raises:
        ProtobufError: Not in the envelope, cut short, or of a type that has no protobuf form here.
    """
    if not data.startswith(_MAGIC):
        raise ProtobufError(
            "provided data does not appear to be a protobuf message, expected prefix 6b387300"
        )
    envelope = _message(data[len(_MAGIC) :], "runtime.Unknown", 0, raw=True)
    types = envelope.get("typeMeta") or {}
    api_version, kind = types.get("apiVersion", ""), types.get("kind", "")
    body = envelope.get("raw") or b""
    if envelope.get("contentType") == "application/json":
        value = orjson.loads(body)
        if not isinstance(value, dict):
            raise ProtobufError("the JSON in the envelope is not an object")
        return value
    name = message_of(api_version, kind)
    if name is None:
        raise ProtobufError(
            f'no protobuf form is known for kind "{kind}" in version "{api_version}"'
        )
    return {"kind": kind, "apiVersion": api_version, **_message(body, name, 0)}


def _message(data: bytes, name: str, depth: int, *, raw: bool = False) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise ProtobufError("exceeded max depth")
    fields = message(name)
    found: dict[str, Any] = {}
    for number, wire, value in read_fields(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.form == "map":
            key, item = _entry(value, field, depth)
            found.setdefault(field.name, {})[key] = item
            continue
        item = _value(value, wire, field.type, depth, raw=raw)
        if field.form == "list":
            if item is not _ABSENT:
                found.setdefault(field.name, []).append(item)
        elif field.form == "inline":
            if isinstance(item, dict):
                found.update(item)
        elif field.form == "optional":
            if item is not _ABSENT:
                found[field.name] = item
        elif item is not _ABSENT and not _is_zero(item):
            found[field.name] = item
    return found


def _is_zero(item: Any) -> bool:
    return item is None or item is False or item in ("", 0, b"") or item == {}


def _entry(value: Value, field: Field, depth: int) -> tuple[str, Any]:
    if not isinstance(value, bytes):
        raise ProtobufError(f"proto: wrong wireType for field {field.name}")
    key = ""
    item: Any = _ABSENT
    for number, wire, part in read_fields(value):
        if number == 1:
            key = _text(part)
        elif number == 2:
            item = _value(part, wire, field.type, depth)
    if item is _ABSENT:
        item = "" if field.type in "sb" else {}
    return key, item


def _text(value: Value) -> str:
    if not isinstance(value, bytes):
        raise ProtobufError("proto: wrong wireType for a string")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("proto: invalid UTF-8 in a string") from error


def _value(value: Value, wire: int, type_: str, depth: int, *, raw: bool = False) -> Any:
    if type_ == "s":
        return _text(value)
    if type_ in ("i", "t"):
        if not isinstance(value, int):
            raise ProtobufError("proto: wrong wireType for a number")
        if type_ == "t":
            return value != 0
        return value - (1 << 64) if value & _SIGN else value
    if not isinstance(value, bytes):
        raise ProtobufError("proto: wrong wireType for a message")
    if type_ == "b":
        return value if raw else base64.b64encode(value).decode()
    if type_ == "d":
        if wire != 1:
            raise ProtobufError("proto: wrong wireType for a double")
        return struct.unpack("<d", value)[0]
    special = _SPECIAL.get(type_)
    if special is not None:
        return special(_scalars(value))
    if type_.endswith(".ExtraValue"):
        return _message(value, type_, depth + 1).get("items", [])
    return _message(value, type_, depth + 1, raw=raw)


def _scalars(data: bytes) -> dict[int, Value]:
    return {number: value for number, _, value in read_fields(data)}


def _signed(value: Value | None) -> int:
    if not isinstance(value, int):
        return 0
    return value - (1 << 64) if value & _SIGN else value


def _moment(fields: dict[int, Value], form: Callable[[float], str]) -> Any:
    seconds, nanos = _signed(fields.get(1)), _signed(fields.get(2))
    if not fields or (seconds, nanos) == (0, 0):
        return _ABSENT
    try:
        return form(seconds + nanos / 1e9)
    except (ValueError, OverflowError, OSError) as error:
        raise ProtobufError(f"proto: time out of range: {seconds}") from error


def _int_or_string(fields: dict[int, Value]) -> Any:
    if _signed(fields.get(1)) == 1:
        return _text(fields.get(3, b""))
    return _signed(fields.get(2))


def _embedded_json(fields: dict[int, Value]) -> Any:
    data = fields.get(1)
    if not isinstance(data, bytes) or not data:
        return _ABSENT
    try:
        return orjson.loads(data)
    except ValueError as error:
        raise ProtobufError(f"invalid JSON in an embedded object: {error}") from error


def _duration(fields: dict[int, Value]) -> str:
    nanoseconds = _signed(fields.get(1))
    return f"{nanoseconds / 1e9:g}s"


_SPECIAL: Final[dict[str, Callable[[dict[int, Value]], Any]]] = {
    "meta.v1.Time": lambda fields: _moment(fields, format_time),
    "meta.v1.MicroTime": lambda fields: _moment(fields, format_micro),
    "meta.v1.Duration": _duration,
    "meta.v1.FieldsV1": _embedded_json,
    "runtime.RawExtension": _embedded_json,
    "api.resource.Quantity": lambda fields: _text(fields.get(1, b"")),
    "util.intstr.IntOrString": _int_or_string,
}
"""Messages whose JSON is not an object of their fields."""
