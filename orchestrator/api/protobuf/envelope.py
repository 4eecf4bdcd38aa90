"""Kubernetes' envelope around a message: four bytes, the type, the message; and frames of a watch.

The envelope is a ``runtime.Unknown`` behind the bytes ``k8s`` and zero. A watch is a sequence of
frames, each a length of four bytes and a ``WatchEvent``, which holds an object in its envelope.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import orjson

from orchestrator.api.protobuf.decoding import decoder
from orchestrator.api.protobuf.encoding import encoder
from orchestrator.api.protobuf.tables import message_of
from orchestrator.api.protobuf.values import scalars, text
from orchestrator.api.protobuf.wire import ProtobufError, field, varint

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_TAIL: Final = b"\x1a\x00\x22\x00"  # content encoding and type, never set


def decode_object(data: bytes) -> dict[str, Any]:
    """Decode a body in Kubernetes' envelope.

    Returns:
        The object with ``apiVersion`` and ``kind``.

    Raises:
        ProtobufError: Not in the envelope, cut short, or of a type that has no protobuf form.
    """
    if not data.startswith(_MAGIC):
        raise ProtobufError(
            "provided data does not appear to be a protobuf message, expected prefix 6b387300"
        )
    try:
        envelope = scalars(data[len(_MAGIC) :])
        types = scalars(_bytes(envelope, 1))
    except IndexError:
        raise ProtobufError("unexpected EOF") from None
    api_version, kind = text(_bytes(types, 1)), text(_bytes(types, 2))
    body = _bytes(envelope, 2)
    encoding = text(_bytes(envelope, 3))
    if encoding:
        raise ProtobufError(f'content encoding "{encoding}" is not supported')
    if text(_bytes(envelope, 4)) == "application/json":
        value = orjson.loads(body)
        if not isinstance(value, dict):
            raise ProtobufError("the JSON in the envelope is not an object")
        return value
    if not kind:
        raise ProtobufError("Object 'Kind' is missing in the envelope")
    name = message_of(api_version, kind)
    if name is None:
        raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"kind": kind, "apiVersion": api_version, **decoder(name)(body)}


def _bytes(fields: dict[int, int | bytes], number: int) -> bytes:
    value = fields.get(number, b"")
    if isinstance(value, int):
        raise ProtobufError("proto: wrong wireType in the envelope")
    return value


def encode_message(api_version: str, kind: str, obj: dict[str, Any]) -> bytes:
    """Encode an object's message, without the envelope.

    Raises:
        KeyError: The kind has no protobuf form.
    """
    name = message_of(api_version, kind)
    if name is None:
        raise KeyError(kind)
    return encoder(name)(obj)


def encode_object(obj: dict[str, Any]) -> bytes:
    """Encode an object that says its type, in the envelope.

    Raises:
        KeyError: The kind has no protobuf form.
    """
    api_version, kind = obj["apiVersion"], obj["kind"]
    return enveloped(api_version, kind, encode_message(api_version, kind, obj))


@cache
def _type_of(api_version: str, kind: str) -> bytes:
    return _MAGIC + field(1, field(1, api_version), field(2, kind)) + b"\x12"


def enveloped(api_version: str, kind: str, *parts: bytes) -> bytes:
    """Put a message, or the parts of one, into the envelope."""
    length = sum(map(len, parts))
    return b"".join((_type_of(api_version, kind), varint(length), *parts, _TAIL))


def encode_list(api_version: str, kind: str, metadata: dict[str, Any], items: list[bytes]) -> bytes:
    """Build a list out of the messages of its items.

    Args:
        api_version: Of the list.
        kind: Of the list, ``PodList``.
        metadata: The list's.
        items: Messages without envelopes.
    """
    parts = [field(1, encoder("meta.v1.ListMeta")(metadata))]
    for item in items:
        parts.append(b"\x12" + varint(len(item)))
        parts.append(item)
    return enveloped(api_version, kind, *parts)


def watch_frame(type_: str, obj: bytes) -> bytes:
    """Frame one event of a watch.

    Args:
        type_: ``ADDED`` and the like.
        obj: The object in its envelope.
    """
    raw = b"\x0a" + varint(len(obj))
    head = field(1, type_) + b"\x12" + varint(len(raw) + len(obj)) + raw
    return (len(head) + len(obj)).to_bytes(4, "big") + head + obj
