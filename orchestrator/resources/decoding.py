"""Request bodies into objects: types checked, unknown fields pruned, told or refused.

Source of the words: k8s.io/apimachinery/pkg/runtime/serializer and sigs.k8s.io/json.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from orchestrator.resources._converters import compiled
from orchestrator.resources._places import DecodeError, Place
from orchestrator.resources.definitions import SchemaNode, schema_of
from orchestrator.resources.errors import StatusError, bad_request
from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.resources.custom.versions import CustomVersion

__all__ = ["DecodeError", "Decoded", "convert", "decode", "duplicate_fields", "same_fields"]

_SPACED_COLON: Final = re.compile(rb'"\s+:')


class Decoded(NamedTuple):
    """What a body was made into.

    Attributes:
        object: With ``apiVersion`` and ``kind``; pruned, with quantities and times normalized.
        warnings: Texts for ``Warning`` headers; empty unless validation is ``Warn``.
    """

    object: Object
    warnings: list[str]


def decode(
    body: Any,
    kind: Kind,
    *,
    validation: str = "Warn",
    raw: bytes | None = None,
    schema: SchemaNode | None = None,
) -> Decoded:
    """Make a parsed body into an object of ``kind``.

    Args:
        body: JSON-shaped data. Never changed; parts that stay are shared with the result.
        kind: What the path expects. ``apiVersion`` and ``kind`` may be absent from the body.
        validation: ``Ignore`` prunes unknown and duplicate fields, ``Warn`` (also ``""``) does
            so with warnings, ``Strict`` refuses them.
        raw: The JSON text, where there is one, to find duplicate fields in.
        schema: Structure to use instead of the built-in one, for custom resources.

    Raises:
        StatusError: 400 with the Go decoder's words.
    """
    if not isinstance(body, dict):
        raise _unhandled(kind, kind, f"json: cannot unmarshal {_shape(body)} into Go value")
    _check_kind(body, kind)
    try:
        if kind.custom is not None:
            obj, unknown = _pruned(body, kind.custom)
        else:
            obj, unknown = convert(body, schema or schema_of(kind))
    except DecodeError as error:
        raise _unhandled(kind, kind, str(error)) from None
    except RecursionError:
        raise bad_request("the object is nested too deeply") from None
    if obj.get("apiVersion") != kind.api_version or obj.get("kind") != kind.kind:
        rest = {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, **rest}
    if validation == "Ignore":
        return Decoded(obj, [])
    twice = [] if raw is None else duplicate_fields(raw, body)
    if twice and raw is not None and kind.custom is None:
        problems = _in_order(raw, frozenset(unknown))
    else:
        problems = [f'duplicate field "{field}"' for field in twice]
        problems += [f'unknown field "{field}"' for field in unknown]
    if problems and validation == "Strict":
        raise _unhandled(kind, kind, f"strict decoding error: {', '.join(problems)}")
    return Decoded(obj, problems)


def convert(body: Object, schema: SchemaNode) -> tuple[Object, list[str]]:
    """Normalize a value by a schema; also return the paths of unknown fields that were left out.

    Raises:
        DecodeError: A value of the wrong type or form.
    """
    unknown: list[str] = []
    converted: Object = compiled(schema)(body, Place(None, "", ""), unknown)
    return converted, unknown


def _pruned(body: Object, version: CustomVersion) -> tuple[Object, list[str]]:
    """Leave out what the schema of a custom kind does not know; its types are validation's."""
    unknown: list[str] = []
    return version.prune(body, "", unknown), sorted(unknown)


def duplicate_fields(raw: bytes, parsed: Any = None) -> list[str]:
    """Return the paths of fields that occur twice in JSON text, in the order of the second one.

    Written out again, the parsed body has one quote with a colon less for each duplicate. Counting
    takes microseconds; only when the counts differ the text is parsed anew with all its pairs.

    Args:
        raw: The text.
        parsed: What it was parsed into, if the caller has it.
    """
    try:
        plain = orjson.dumps(orjson.loads(raw) if parsed is None else parsed)
        if same_fields(raw, plain):
            return []
        found: list[str] = []
        _duplicates(json.loads(raw, object_pairs_hook=_Pairs), "", found)
    except (ValueError, TypeError, RecursionError):
        return []  # not for this function to say: whoever parsed the body has said it
    return found


def same_fields(raw: bytes, plain: bytes, *, more: int = 0) -> bool:
    """Tell whether JSON text has as many fields as what it was parsed into, written out again.

    Args:
        raw: The text.
        plain: What orjson wrote.
        more: Fields that were left out of ``plain``.
    """
    return raw.count(b'":') == plain.count(b'":') + more and not _SPACED_COLON.search(raw)


class _Pairs(list[tuple[str, Any]]):
    """The fields of a JSON object as they stand in the text."""


def _duplicates(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            here = f"{path}.{key}" if path else key
            if key in seen:
                found.append(here)
            seen.add(key)
            _duplicates(item, here, found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _duplicates(item, f"{path}[{index}]", found)


def _in_order(raw: bytes, unknown: frozenset[str]) -> list[str]:
    """Tell of unknown and duplicate fields as they stand in the text, as a typed decoder does.

    It looks no further into a field that it does not know.
    """
    found: list[str] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, _Pairs):
            seen: set[str] = set()
            for key, item in value:
                here = f"{path}.{key}" if path else key
                if here in unknown:
                    if key not in seen:
                        found.append(f'unknown field "{here}"')
                else:
                    if key in seen:
                        found.append(f'duplicate field "{here}"')
                    walk(item, here)
                seen.add(key)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                walk(item, f"{path}[{index}]")

    walk(json.loads(raw, object_pairs_hook=_Pairs), "")
    return found


def _shape(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _unhandled(found: Kind, expected: Kind, why: str) -> StatusError:
    return bad_request(
        f'{found.kind} in version "{found.version}" cannot be handled as a {expected.kind}: {why}'
    )


def _check_kind(body: Object, kind: Kind) -> None:
    """Refuse an object that says it is something else.

    Raises:
        StatusError: 400.
    """
    name = body.get("kind") or kind.kind
    api_version = body.get("apiVersion") or kind.api_version
    if name == kind.kind and api_version == kind.api_version:
        return
    if not isinstance(name, str) or not isinstance(api_version, str):
        wrong = name if not isinstance(name, str) else api_version
        field = "kind" if not isinstance(name, str) else "apiVersion"
        raise bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{_json_shape(wrong)} into Go struct field .{field} of type string"
        )
    version = api_version.rpartition("/")[2]
    known = registry(kind.release).by_kind(api_version, name)
    if known is None and api_version == kind.api_version:
        raise bad_request(
            f'{name} in version "{version}" cannot be handled as a {kind.kind}: no kind "{name}" '
            f'is registered for version "{api_version}"'
        )
    if api_version != kind.api_version:
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    raise bad_request(
        f'{name} in version "{version}" cannot be handled as a {kind.kind}: converting '
        f"({version}.{name}) to ({kind.version}.{kind.kind}): unknown conversion"
    )


def _json_shape(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else type(value).__name__
