"""Schemas compiled into functions that check and normalize JSON values.

One converter per place in a schema, built on first use and kept. A converter returns its value
itself when nothing is to be changed, so that decoding an object that was stored before shares it.
Places are linked records, made into text only when there is something to complain about.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from orchestrator.resources._places import DecodeError, Place, json_type, wrong_type
from orchestrator.resources.definitions import SchemaNode
from orchestrator.resources.quantities import QuantityError, canonical
from orchestrator.resources.timestamps import canonical_micro, canonical_time

Convert = Callable[[Any, "Place", "list[str]"], Any]
"""``(value, place, unknown)``: the value to keep; adds paths of unknown fields to ``unknown``."""

_SCHEMA: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_SCHEMA_OR: Final = f"{_SCHEMA}Or"
MAX_UNKNOWN: Final = 100
"""Unknown fields reported for one object, upstream's limit too."""

_INT_RANGE: Final = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_MICRO_TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"

_NAMED_STRINGS: Final = {
    ("Container", "imagePullPolicy"): "v1.PullPolicy",
    ("Container", "terminationMessagePolicy"): "v1.TerminationMessagePolicy",
    ("ContainerPort", "protocol"): "v1.Protocol",
    ("DeploymentStrategy", "type"): "v1.DeploymentStrategyType",
    ("HTTPGetAction", "scheme"): "v1.URIScheme",
    ("ObjectMeta", "uid"): "types.UID",
    ("PodSpec", "dnsPolicy"): "v1.DNSPolicy",
    ("PodSpec", "restartPolicy"): "v1.RestartPolicy",
    ("Secret", "type"): "v1.SecretType",
    ("ServicePort", "protocol"): "v1.Protocol",
    ("ServiceSpec", "sessionAffinity"): "v1.ServiceAffinity",
    ("ServiceSpec", "type"): "v1.ServiceType",
    ("Taint", "effect"): "v1.TaintEffect",
    ("Toleration", "effect"): "v1.TaintEffect",
    ("Toleration", "operator"): "v1.TolerationOperator",
}
"""Go names of string types, which the definitions do not carry, for common fields."""


def compiled(node: SchemaNode) -> Convert:
    """Return the converter of a definition, compiled on first use.

    Definitions are shared per version and few; converters of places inside them hang off these.
    """
    return _compiled(node, "")


@cache
def _compiled(node: SchemaNode, named: str) -> Convert:
    if node.is_quantity:
        return _quantity
    if node.is_int_or_string:
        return _int_or_string
    if node.name.startswith(_SCHEMA_OR):
        return _schema_or(node)
    if node.format == "date-time":
        return _micro_time if node.name == _MICRO_TIME else _time
    if node.format == "byte":
        return _bytes
    match node.type:
        case "string":
            return _string(named or "string")
        case "integer":
            return _integer(node.format or "int64")
        case "number":
            return _number
        case "boolean":
            return _boolean
        case "array":
            return _array(node)
        case "object":
            return _object(node)
        case _:
            return _anything


def _schema_or(node: SchemaNode) -> Convert:
    """Make the converter of a JSON schema, or what else may stand where one may.

    Upstream reads what is inside with a decoder that tells nobody of unknown fields.
    """
    schema: Convert | None = None
    lists = node.name.endswith("Array")
    booleans = node.name.endswith("OrBool")

    def convert(value: Any, place: Place, unknown: list[str]) -> Any:
        nonlocal schema
        if schema is None:
            schema = _compiled(node.sibling(_SCHEMA), "")
        if type(value) is dict:
            return schema(value, place, [])
        if type(value) is list and lists:
            if node.name.endswith("StringArray"):
                return value
            return [convert(one, Place(place, at, ""), unknown) for at, one in enumerate(value)]
        if type(value) is bool and booleans:
            return value
        if booleans:
            raise DecodeError("boolean or JSON schema expected")
        raise wrong_type(value, place, "v1.JSONSchemaProps")

    return convert


def go_type(node: SchemaNode | None, named: str = "") -> str:
    """Return the Go name of a type as far as the definitions tell it."""
    if node is None:
        return "interface {}"
    if node.is_quantity:
        return "resource.Quantity"
    if node.is_int_or_string:
        return "intstr.IntOrString"
    if node.name:
        return ".".join(node.name.split(".")[-2:])
    match node.type:
        case "string":
            return named or "string"
        case "integer":
            return node.format or "int64"
        case "number":
            return "float64"
        case "boolean":
            return "bool"
        case "array":
            return f"[]{go_type(node.items)}"
        case "object":
            return f"map[string]{go_type(node.additional)}"
        case _:
            return "interface {}"


def _anything(value: Any, _place: Place, _unknown: list[str]) -> Any:
    return value


def _string(named: str) -> Convert:
    def convert(value: Any, place: Place, _unknown: list[str]) -> Any:
        if type(value) is not str:
            raise wrong_type(value, place, named)
        return value

    return convert


def _integer(size: str) -> Convert:
    low, high = _INT_RANGE[size]

    def convert(value: Any, place: Place, _unknown: list[str]) -> Any:
        if type(value) is not int:
            if isinstance(value, float) and value.is_integer() and low <= value <= high:
                return int(value)
            raise wrong_type(value, place, size, literal=True)
        if not low <= value <= high:
            raise wrong_type(value, place, size, literal=True)
        return value

    return convert


def _number(value: Any, place: Place, _unknown: list[str]) -> Any:
    if type(value) is not float and type(value) is not int:
        raise wrong_type(value, place, "float64")
    return value


def _boolean(value: Any, place: Place, _unknown: list[str]) -> Any:
    if type(value) is not bool:
        raise wrong_type(value, place, "bool")
    return value


def _quantity(value: Any, _place: Place, _unknown: list[str]) -> Any:
    if isinstance(value, (bool, list, dict)):
        value = str(value)  # upstream parses the JSON text, which then is no quantity
    try:
        text = canonical(value)
    except QuantityError as error:
        raise DecodeError(str(error)) from None
    return value if text == value else text


def _int_or_string(value: Any, place: Place, _unknown: list[str]) -> Any:
    if type(value) is str:
        return value
    low, high = _INT_RANGE["int32"]
    if type(value) is int and low <= value <= high:
        return value
    found = f"number {value}" if json_type(value) == "number" else json_type(value)
    del place  # an own decoder upstream, which does not know where it is
    raise DecodeError(f"json: cannot unmarshal {found} into Go value of type int32")


def _time(value: Any, _place: Place, _unknown: list[str]) -> Any:
    if type(value) is not str:
        raise DecodeError(f"json: cannot unmarshal {json_type(value)} into Go value of type string")
    try:
        return canonical_time(value)
    except (ValueError, OverflowError) as error:
        raise DecodeError(str(error)) from None


def _micro_time(value: Any, _place: Place, _unknown: list[str]) -> Any:
    if type(value) is not str:
        raise DecodeError(f"json: cannot unmarshal {json_type(value)} into Go value of type string")
    try:
        text = canonical_micro(value)
    except (ValueError, OverflowError) as error:
        raise DecodeError(str(error)) from None
    return value if text == value else text


def _bytes(value: Any, place: Place, _unknown: list[str]) -> Any:
    if type(value) is not str:
        raise wrong_type(value, place, "[]uint8")
    text = value.replace("\n", "").replace("\r", "") if "\n" in value or "\r" in value else value
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError(f"illegal base64 data at input byte {_bad_byte(text)}") from None
    return text


def _bad_byte(text: str) -> int:
    allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return next((i for i, c in enumerate(text) if c not in allowed), max(len(text) - 1, 0))


def _array(node: SchemaNode) -> Convert:
    items = node.items
    convert_item: Convert | None = None
    zero: Any = {} if items is not None and items.type == "object" else None

    def convert(value: Any, place: Place, unknown: list[str]) -> Any:
        nonlocal convert_item
        if type(value) is not list:
            raise wrong_type(value, place, go_type(node))
        if convert_item is None:
            convert_item = _compiled(items, "") if items is not None else _anything
        new: list[Any] | None = None
        owner = place.owner
        for index, item in enumerate(value):
            if item is None:
                kept = zero if zero is not None else _zero(items)
            else:
                kept = convert_item(item, Place(place, index, owner), unknown)
            if kept is not item and new is None:
                new = value[:index]
            if new is not None:
                new.append(kept)
        return value if new is None else new

    return convert


def _zero(node: SchemaNode | None) -> Any:
    """Return what a null becomes inside a list or map: the Go zero value."""
    if node is None:
        return None
    if node.is_quantity:
        return "0"
    if node.is_int_or_string:
        return 0
    zeros: dict[str, Any] = {
        "string": "",
        "integer": 0,
        "number": 0,
        "boolean": False,
        "array": [],
        "object": {},
    }
    return zeros.get(node.type)


def _object(node: SchemaNode) -> Convert:
    if node.additional is not None:
        return _map(node, node.additional)
    if node.is_free_form:
        return _free_form(node)
    return _structure(node)


def _free_form(node: SchemaNode) -> Convert:
    def convert(value: Any, place: Place, _unknown: list[str]) -> Any:
        if type(value) is not dict:
            raise wrong_type(value, place, go_type(node))
        return value

    return convert


def _map(node: SchemaNode, values: SchemaNode) -> Convert:
    convert_value: Convert | None = None

    def convert(value: Any, place: Place, unknown: list[str]) -> Any:
        nonlocal convert_value
        if type(value) is not dict:
            raise wrong_type(value, place, go_type(node))
        if convert_value is None:
            convert_value = _compiled(values, "")
        changes: dict[str, Any] = {}
        owner = place.owner
        for key, item in value.items():
            if item is None:
                kept = _zero(values)
            else:
                kept = convert_value(item, Place(place, f"\0{key}", owner), unknown)
            if kept is not item:
                changes[key] = kept
        return {**value, **changes} if changes else value

    return convert


def _structure(node: SchemaNode) -> Convert:
    owner = node.name.rpartition(".")[2]
    fields = node.fields
    converters: dict[str, Convert] = {}

    def converter(key: str) -> Convert | None:
        field = fields.get(key)
        if field is None:
            return None
        made = _compiled(field, _NAMED_STRINGS.get((owner, key), ""))
        converters[key] = made
        return made

    def convert(value: Any, place: Place, unknown: list[str]) -> Any:
        if type(value) is not dict:
            raise wrong_type(value, place, go_type(node))
        changes: dict[str, Any] | None = None
        for key, item in value.items():
            change = converters.get(key) or converter(key)
            if change is None:
                if len(unknown) < MAX_UNKNOWN:
                    unknown.append(place.text(key).replace("\0", ""))
            elif item is not None:
                kept = change(item, Place(place, key, owner), unknown)
                if kept is item:
                    continue
                if changes is None:
                    changes = {}
                changes[key] = kept
                continue
            # Unknown fields and nulls are left out, as they do not survive upstream's structs.
            if changes is None:
                changes = {}
            changes[key] = _ABSENT
        if changes is None:
            return value
        merged = {**value, **changes}
        return {key: item for key, item in merged.items() if item is not _ABSENT}

    return convert


_ABSENT: Final = object()
