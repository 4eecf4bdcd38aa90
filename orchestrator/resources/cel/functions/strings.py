"""The strings extension of CEL, and Kubernetes' own functions on lists of strings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.times import Duration, Timestamp
from orchestrator.resources.cel.values import (
    OptionalValue,
    TypeValue,
    Uint,
    from_key,
    kind_of,
    to_plain,
)

STRINGS = Library()
_LARGEST = 64 * 1024 * 1024
"""Characters of a result; upstream's limits on requests and costs come to less."""
_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_SPACES = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)


def _outside(index: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {index}")


@STRINGS.function("charAt", "string.(int) string")
def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise _outside(index)
    return text[index : index + 1]


@STRINGS.function("indexOf", "string.(string) int", "string.(string, int) int")
def _index_of(text: str, wanted: str, start: int = 0) -> int:
    if not wanted:
        return start
    if not 0 <= start <= len(text):
        raise _outside(start)
    return text.find(wanted, start)


@STRINGS.function("lastIndexOf", "string.(string) int", "string.(string, int) int")
def _last_index_of(text: str, wanted: str, last: int | None = None) -> int:
    if last is None:
        return text.rfind(wanted)
    if not wanted:
        return last
    if not 0 <= last <= len(text):
        raise _outside(last)
    return text.rfind(wanted, 0, last + len(wanted))


STRINGS.add("lowerAscii", ["string.() string"], lambda text: text.translate(_LOWER))
STRINGS.add("upperAscii", ["string.() string"], lambda text: text.translate(_UPPER))
STRINGS.add("trim", ["string.() string"], lambda text: text.strip(_SPACES))


@STRINGS.function(
    "replace", "string.(string, string) string", "string.(string, string, int) string"
)
def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    times = text.count(old) if count < 0 else min(count, text.count(old))
    if len(text) + times * (len(new) - len(old)) > _LARGEST:
        raise EvaluationError("result of replace is too large")
    return text.replace(old, new, -1 if count < 0 else count)


@STRINGS.function("split", "string.(string) list<string>", "string.(string, int) list<string>")
def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if not count:
        return []
    if not separator:
        if 0 < count < len(text):
            return [*text[: count - 1], text[count - 1 :]]
        return list(text)
    return text.split(separator, count - 1 if count > 0 else -1)


@STRINGS.function("substring", "string.(int) string", "string.(int, int) string")
def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise _outside(start)
    if not 0 <= last <= len(text):
        raise _outside(last)
    if start > last:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {last}")
    return text[start:last]


@STRINGS.function("join", "list<string>.() string", "list<string>.(string) string")
def _join(items: list[str], separator: str = "") -> str:
    if sum(map(len, items)) + len(separator) * len(items) > _LARGEST:
        raise EvaluationError("result of join is too large")
    return separator.join(items)


_QUOTED = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


@STRINGS.function("strings.quote", "(string) string")
def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(char, char) for char in text) + '"'


@STRINGS.function("format", "string.(list<dyn>) string")
def _format(text: str, arguments: list[Any]) -> str:
    parts: list[str] = []
    at = used = size = 0
    while at < len(text):
        percent = text.find("%", at)
        if percent < 0:
            percent = len(text)
        parts.append(text[at:percent])
        if percent == len(text):
            break
        at, verb, precision = _clause(text, percent + 1)
        if verb == "%":
            parts.append("%")
            continue
        if used >= len(arguments):
            raise EvaluationError(f"index {used} out of range")
        made = _formatted(verb, precision, arguments[used])
        size += len(made)
        if size > _LARGEST:
            raise EvaluationError("result of format is too large")
        parts.append(made)
        used += 1
    return "".join(parts)


def _clause(text: str, at: int) -> tuple[int, str, int]:
    precision = 6
    if text.startswith(".", at):
        end = at + 1
        while end < len(text) and text[end].isdigit():
            end += 1
        if end == at + 1 or end - at > 4:
            raise EvaluationError(f"could not parse formatting clause: {text[at:end]}")
        precision, at = int(text[at + 1 : end]), end
    if at >= len(text):
        raise EvaluationError("could not parse formatting clause: unexpected end of string")
    verb = text[at]
    if verb not in "%sdfebxXo":
        raise EvaluationError(
            f'could not parse formatting clause: unrecognized formatting clause "{verb}"'
        )
    return at + 1, verb, precision


def _formatted(verb: str, precision: int, value: Any) -> str:
    kind = kind_of(value)
    if verb == "s":
        return _shown(value)
    number = kind in {"int", "uint", "double"}
    if verb == "d" and (kind in {"int", "uint"} or kind == "double"):
        if kind == "double":
            if math.isfinite(value):
                raise _unfit(verb, "integer", kind)
            return _infinite(value)
        return str(int(value))
    if verb in "fe" and number:
        if kind == "double" and not math.isfinite(value):
            return _infinite(value)
        return f"{float(value):.{precision}{verb}}"
    if verb == "b" and kind in {"int", "uint", "bool"}:
        return f"{int(value):b}"
    if verb == "o" and kind in {"int", "uint"}:
        return f"{int(value):o}"
    if verb in "xX" and kind in {"int", "uint"}:
        return f"{int(value):{verb}}"
    if verb in "xX" and kind in {"string", "bytes"}:
        raw = value.encode() if kind == "string" else value
        return str(raw.hex().upper() if verb == "X" else raw.hex())
    wanted = {"d": "integer", "b": "binary", "o": "octal", "f": "fixed-point", "e": "scientific"}
    raise _unfit(verb, wanted.get(verb, "hexadecimal"), kind)


def _unfit(_verb: str, what: str, kind: str) -> EvaluationError:
    return EvaluationError(
        f"error during formatting: {what} clause can not be used with a value of type {kind}"
    )


def _infinite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _shown(value: Any) -> str:
    kind = type(value)
    if isinstance(value, str):
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if value is None:
        return "null"
    if kind is int or kind is Uint:
        return str(int(value))
    if kind is float:
        return to_plain(value) if math.isfinite(value) else _infinite(value)
    if kind is bytes:
        return str(value.decode("utf-8", "replace"))
    if isinstance(value, Duration | Timestamp):
        return value.text()
    if isinstance(value, TypeValue):
        return value.name
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, Mapping):
        pairs = sorted((_shown(from_key(key)), _shown(item)) for key, item in value.items())
        return "{" + ", ".join(f"{key}: {item}" for key, item in pairs) + "}"
    if isinstance(value, OptionalValue):
        return f"optional({_shown(value.value)})" if value.full else "optional.none()"
    raise EvaluationError(
        "error during formatting: string clause can only be used on strings, bools, bytes, ints, "
        f"doubles, maps, lists, types, durations, and timestamps, was given {kind_of(value)}"
    )


@STRINGS.function("jsonpatch.escapeKey", "(string) string")
def _escape_key(key: str) -> str:
    """Escape a key for a path of a JSON patch."""
    return key.replace("~", "~0").replace("/", "~1")
