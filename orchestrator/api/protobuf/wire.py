"""Protobuf's wire format: numbers, lengths and what stands in front of them."""

from __future__ import annotations

from functools import cache
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

SIGN: Final = 1 << 63
WRAP: Final = 1 << 64
_MASK: Final = WRAP - 1


class ProtobufError(ValueError):
    """The bytes are not a message of the expected type."""


def varint(number: int) -> bytes:
    """Write an integer; a negative one takes ten bytes, as in Go."""
    if 0 <= number < 0x80:
        return _SINGLE[number]
    number &= _MASK
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SINGLE: Final = tuple(bytes((number,)) for number in range(0x80))


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return an unsigned integer and the place behind it.

    Raises:
        ProtobufError: The number is longer than 64 bits.
        IndexError: The data ends.
    """
    result = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & _MASK, at
        shift += 7
    raise ProtobufError("proto: integer overflow")


def skip(data: bytes, at: int, tag: int) -> int:
    """Return the place behind a field that nobody knows.

    Raises:
        ProtobufError: Not a field at all.
        IndexError: The data ends.
    """
    match tag & 7:
        case 0:
            return read_varint(data, at)[1]
        case 1:
            return at + 8
        case 2:
            length, at = read_varint(data, at)
            return at + length
        case 5:
            return at + 4
        case wire:
            raise ProtobufError(f"proto: illegal wireType {wire}")


@cache
def heads(number: int) -> tuple[bytes, tuple[bytes, ...]]:
    """Return a field's tag for data of a length, and tags with the lengths below 128 behind it."""
    tag = varint(number << 3 | BYTES)
    return tag, tuple(tag + length for length in _SINGLE)


def field(number: int, *parts: bytes | str) -> bytes:
    """Write a field of bytes, of text or of a message's fields."""
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(number << 3 | BYTES) + varint(len(data)) + data
