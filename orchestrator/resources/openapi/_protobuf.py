"""The Swagger document in protobuf: the only form of it that kubectl up to 1.28 asks for.

``kubectl explain`` of those versions fetches it before it looks at v3, and fails without it.
Field numbers are those of the OpenAPI v2 messages published by the gnostic project.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

MEDIA_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""Type of the answer. Clients ask for it, or for the older spelling with ``@`` before ``v1.0``,
which no answer may carry: Go's parser of media types refuses it."""

_METHODS: Final = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
_LENGTH: Final = 2
"""Wire type of everything with a length: text and messages."""


def encode_document(document: dict[str, Any]) -> bytes:
    """Encode a Swagger document made of the parts that `openapi_v2` uses."""
    info = document["info"]
    return b"".join(
        (
            _text(1, document["swagger"]),
            _message(2, _text(1, info["title"]) + _text(2, info["version"])),
            _message(8, _named(2, document["paths"].items(), _path)),
            _message(9, _named(1, document["definitions"].items(), _schema)),
        )
    )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _message(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode()) if text else b""


def _texts(field: int, texts: Iterable[str]) -> bytes:
    return b"".join(_message(field, text.encode()) for text in texts)


def _flag(field: int, value: object) -> bytes:
    return _varint(field << 3) + b"\x01" if value else b""


def _named(field: int, items: Iterable[tuple[str, Any]], encode: Any) -> bytes:
    """Encode a map as pairs of name and value, as these messages do it."""
    return b"".join(
        _message(field, _text(1, name) + _message(2, encode(value))) for name, value in items
    )


def _any(value: Any) -> bytes:
    return _text(2, orjson.dumps(value).decode())  # JSON is YAML


def _extensions(field: int, holder: dict[str, Any]) -> bytes:
    return _named(field, ((k, v) for k, v in holder.items() if k.startswith("x-")), _any)


def _path(item: dict[str, Any]) -> bytes:
    methods = b"".join(
        _message(field, _operation(item[method]))
        for method, field in _METHODS.items()
        if method in item
    )
    return methods + _parameters(9, item["parameters"])


def _operation(operation: dict[str, Any]) -> bytes:
    return b"".join(
        (
            _texts(1, operation["tags"]),
            _text(3, operation["description"]),
            _text(5, operation["operationId"]),
            _texts(6, operation["produces"]),
            _texts(7, operation["consumes"]),
            _parameters(8, operation["parameters"]),
            _message(9, _named(1, operation["responses"].items(), _response)),
            _texts(10, operation["schemes"]),
            _extensions(13, operation),
        )
    )


def _response(response: dict[str, Any]) -> bytes:
    data = _text(1, response["description"])
    if "schema" in response:
        data += _message(2, _message(1, _schema(response["schema"])))
    return _message(1, data)


def _parameters(field: int, parameters: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(_message(field, _message(1, _parameter(one))) for one in parameters)


def _parameter(parameter: dict[str, Any]) -> bytes:
    if parameter["in"] == "body":
        return _message(
            1,
            _text(2, parameter["name"])
            + _text(3, "body")
            + _flag(4, parameter["required"])
            + _message(5, _schema(parameter["schema"])),
        )
    common = b"".join(
        (
            _flag(1, parameter.get("required")),
            _text(2, parameter["in"]),
            _text(3, parameter.get("description", "")),
            _text(4, parameter["name"]),
        )
    )
    if parameter["in"] == "path":
        return _message(2, _message(4, common + _text(5, parameter["type"])))
    return _message(2, _message(3, common + _text(6, parameter["type"])))


def _schema(schema: dict[str, Any]) -> bytes:
    data = [
        _text(1, schema.get("$ref", "")),
        _text(2, schema.get("format", "")),
        _text(4, schema.get("description", "")),
        _texts(19, schema.get("required", ())),
    ]
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        data.append(_message(21, _message(1, _schema(additional))))
    if "type" in schema:
        data.append(_message(22, _text(1, schema["type"])))
    if "items" in schema:
        data.append(_message(23, _message(1, _schema(schema["items"]))))
    if "properties" in schema:
        data.append(_message(25, _named(1, schema["properties"].items(), _schema)))
    data.append(_extensions(31, schema))
    return b"".join(data)
