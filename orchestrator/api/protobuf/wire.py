"""Protobuf's wire format: a sequence of numbered fields."""

from __future__ import annotations

from collections.abc import Iterator

Value = int | bytes


class ProtobufError(ValueError):
    """The bytes are not a message of the expected type."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return an unsigned integer and the place behind it.

    Raises:
        ProtobufError: The data ends, or the number is longer than 64 bits.
    """
    result = shift = 0
    while shift < 70:
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise ProtobufError("proto: illegal or truncated varint")


def read_fields(data: bytes) -> Iterator[tuple[int, int, Value]]:
    """Yield (number, wire type, value) of every field.

    Values are integers for wire type 0 and bytes for the others.

    Raises:
        ProtobufError: Truncated, or a wire type that is not in use.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = read_varint(data, at)
            yield number, wire, value
            continue
        if wire == 2:
            length, at = read_varint(data, at)
        elif wire == 1:
            length = 8
        elif wire == 5:
            length = 4
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if at + length > end:
            raise ProtobufError("unexpected EOF")
        yield number, wire, data[at : at + length]
        at += length
