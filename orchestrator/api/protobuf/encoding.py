"""From a JSON-shaped object to the protobuf message that Go writes for it, byte for byte.

A message's writer is compiled from the table when it is first needed. It starts from the pieces
that stand for nothing being set (Go writes every field that is no pointer, set or not), replaces
those of the fields that the object has, and joins them: what it costs grows with the fields that
are there, not with those that could be. Fields that the table does not know are left out.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from orchestrator.api.protobuf.tables import Field, message
from orchestrator.api.protobuf.values import WRITERS, ZEROS
from orchestrator.api.protobuf.wire import FIXED64, VARINT, heads, varint

Write = Callable[[Any], bytes]
"""From JSON to a message's bytes, or to a field's bytes with its tag."""

_DOUBLE: Final = struct.Struct("<d")
_SHORT: Final = 0x80


@cache
def encoder(name: str) -> Write:
    """Return the writer of a message.

    Raises:
        KeyError: The table does not have it.
    """
    choice = _CHOICES.get(name.rpartition(".")[2])
    if choice is not None and name.startswith("apiextensions."):
        return choice(name)
    return _compiled(name, {})


def sharing_encoder(name: str, field: str, recall: Callable[[Write, Any], bytes]) -> Write:
    """Return the writer of a message one of whose fields many objects share.

    Args:
        name: The message.
        field: The JSON name of the field.
        recall: Called with the field's writer and its value; returns what the writer does.

    Raises:
        KeyError: The table does not have the message.
    """
    return _compiled(name, {field: lambda write: partial(recall, write)})


def _compiled(name: str, wrap: dict[str, Callable[[Write], Write]]) -> Write:
    defaults: list[bytes] = []
    writers: dict[str, tuple[int, Write]] = {}
    inline: list[tuple[int, Write]] = []
    for slot, field in enumerate(message(name)):
        defaults.append(_default(field))
        if field.form == "inline":
            inline.append((slot, _field(field)))
        else:
            writers[field.name] = (slot, _first(writers, slot, field, wrap.get(field.name)))
    find = writers.get

    def encode(value: dict[str, Any]) -> bytes:
        parts = defaults.copy()
        for key, item in value.items():
            known = find(key)
            if known is not None and item is not None:
                parts[known[0]] = known[1](item)
        return b"".join(parts)

    if not inline:
        return encode

    def encode_inline(value: dict[str, Any]) -> bytes:
        parts = defaults.copy()
        for key, item in value.items():
            known = find(key)
            if known is not None and item is not None:
                parts[known[0]] = known[1](item)
        for slot, write in inline:
            parts[slot] = write(value)
        return b"".join(parts)

    return encode_inline


def _first(
    writers: dict[str, tuple[int, Write]],
    slot: int,
    field: Field,
    wrap: Callable[[Write], Write] | None,
) -> Write:
    """Return a field's writer that makes the real one, and gives way to it, when it is needed.

    Types refer to one another in circles, and most of them are never met.
    """

    def write(value: Any) -> bytes:
        made = _field(field)
        if wrap is not None:
            made = wrap(made)
        writers[field.name] = (slot, made)
        return made(value)

    return write


def _default(field: Field) -> bytes:
    """Return what Go writes for a field that is not set."""
    if field.form not in ("one", "inline") or field.type == "b" or field.type.endswith("*"):
        return b""
    if field.type in "it":
        return varint(field.number << 3 | VARINT) + b"\0"
    if field.type == "d":
        return varint(field.number << 3 | FIXED64) + bytes(8)
    if field.type == "s":
        return heads(field.number)[1][0]
    special = field.type in WRITERS
    data = ZEROS.get(field.type, b"") if special else encoder(field.type)({})
    return heads(field.number)[0] + varint(len(data)) + data


def _field(field: Field) -> Write:
    """Return the writer of a field, tag included."""
    match field.form:
        case "list":
            if field.type in "it":
                tag = varint(field.number << 3 | VARINT)
                return lambda value: b"".join([tag + varint(int(item)) for item in value])
            item = _single(field.number, field.type)
            return lambda value: b"".join([item(part) for part in value])
        case "map":
            return _map(field.number, field.type)
        case _:
            return _single(field.number, field.type)


def _single(number: int, type_: str) -> Write:
    if type_ in "it":
        tag = varint(number << 3 | VARINT)
        short = tuple(tag + varint(value) for value in range(_SHORT))

        def write_number(value: int) -> bytes:
            return short[value] if 0 <= value < _SHORT else tag + varint(value)

        return write_number
    if type_ == "d":
        tag = varint(number << 3 | FIXED64)
        return lambda value: tag + _DOUBLE.pack(value)
    tag, short = heads(number)
    if type_ == "s":

        def write_text(value: str) -> bytes:
            data = value.encode()
            length = len(data)
            return short[length] + data if length < _SHORT else tag + varint(length) + data

        return write_text
    encode = _message(type_)

    def write(value: Any) -> bytes:
        data = encode(value)
        length = len(data)
        return short[length] + data if length < _SHORT else tag + varint(length) + data

    return write


def _message(type_: str) -> Write:
    """Return what makes a value's bytes, without a tag."""
    if type_ == "b":
        return base64.b64decode
    if type_ == "s":
        return str.encode
    if type_ in WRITERS:
        return WRITERS[type_]
    if type_.endswith("*"):
        item = _single(1, "s")
        return lambda value: b"".join([item(part) for part in value])
    return encoder(type_)


def _map(number: int, type_: str) -> Write:
    tag, short = heads(number)
    write_key, write_value = _single(1, "s"), _single(2, type_)

    def write(value: dict[str, Any]) -> bytes:
        parts = []
        for key in sorted(value):
            data = write_key(key) + write_value(value[key])
            length = len(data)
            parts.append(short[length] if length < _SHORT else tag + varint(length))
            parts.append(data)
        return b"".join(parts)

    return write


def _schema_or_bool(name: str) -> Write:
    schema = _single(2, _schema_name(name))
    return lambda value: (
        (b"\x08\x01" if value else b"\x08\x00")
        if isinstance(value, bool)
        else b"\x08\x01" + schema(value)
    )


def _schema_or_list(item: str) -> Callable[[str], Write]:
    def choice(name: str) -> Write:
        schema = _single(1, _schema_name(name))
        part = _single(2, item or _schema_name(name))
        return lambda value: (
            b"".join([part(one) for one in value]) if isinstance(value, list) else schema(value)
        )

    return choice


def _schema_name(name: str) -> str:
    return f"{name.rpartition('.')[0]}.JSONSchemaProps"


_CHOICES: Final[dict[str, Callable[[str], Write]]] = {
    "JSONSchemaPropsOrBool": _schema_or_bool,
    "JSONSchemaPropsOrArray": _schema_or_list(""),
    "JSONSchemaPropsOrStringArray": _schema_or_list("s"),
}
"""Messages that hold one of several things, whose JSON is just that thing."""
