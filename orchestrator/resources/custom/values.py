"""Values against schemas: which fields are wrong, in the words of upstream's validator.

A schema is compiled once into closures. What a check says, in which order, and which of several
alternatives it explains itself by are kube-openapi's (pkg/validation/validate); how that becomes
field errors is apiextensions-apiserver's (pkg/apiserver/validation).

With an older value at hand, complaints about whatever did not change are dropped (ratcheting).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from orchestrator.resources.custom.formats import FormatCheck, format_check
from orchestrator.resources.custom.patterns import PatternError, compile_pattern
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import shown

Schema = Mapping[str, Any]
Check = Callable[[Any, Any, str, "list[FieldError]"], None]
"""``(value, old, path, found)``: adds complaints to ``found``; ``old`` may be `ABSENT`."""

ABSENT: Final[Any] = object()
"""No older value to compare with."""

_PYTHON: Final[dict[str, tuple[type, ...]]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_GO_FORMATS: Final = {int: "int64", float: "double"}


def value_problems(
    check: Check | None, value: Any, old: Any = ABSENT, prefix: str = ""
) -> list[FieldError]:
    """Run a check; paths get a prefix, the words keep the path within what was checked.

    Args:
        check: From `compile_values`; None has no complaints.
        value: To check.
        old: What it replaces.
        prefix: Path of ``value`` in its object.
    """
    if check is None:
        return []
    found: list[FieldError] = []
    check(value, old, "", found)
    return [replace(one, field=_prefixed(prefix, one.field)) for one in found] if found else found


def _prefixed(prefix: str, field: str) -> str:
    if not prefix:
        return field or "<nil>"
    return f"{prefix}.{field}" if field else prefix


def json_type(value: Any) -> str:
    """Return what upstream's validator calls a value."""
    if value is None:
        return "null"
    kind = type(value)
    if kind is bool:
        return "boolean"
    if kind is int:
        return "integer"
    if kind is float:
        return "number"
    if kind is str:
        return "string"
    return "array" if kind is list else "object"


def types_of(schema: Schema) -> tuple[str, ...]:
    """Return the types that values of a schema may have; empty for any."""
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    named = schema.get("type")
    return (named,) if named else ()


def compile_values(schema: Schema) -> Check | None:
    """Compile a schema; None when it takes any value."""
    parts: list[Check] = [
        part
        for part in (
            _type_part(schema),
            _junctors(schema),
            _string_part(schema),
            _format_part(schema),
            _number_part(schema),
            _list_part(schema),
            _enum_part(schema),
            _object_part(schema),
        )
        if part is not None
    ]
    if not parts:
        return None
    first, *rest = parts
    only = first if not rest else None
    null_part = parts[0] if types_of(schema) else None
    enum = _enum_part(schema)

    def check(value: Any, old: Any, path: str, found: list[FieldError]) -> None:
        if value is old:
            return
        before = len(found)
        if value is None:
            if null_part is not None:
                null_part(None, old, path, found)
            if enum is not None:
                enum(None, old, path, found)
        elif only is not None:
            only(value, old, path, found)
        else:
            for part in parts:
                part(value, old, path, found)
        if len(found) > before and old is not ABSENT and same(value, old):
            del found[before:]

    return check


def same(left: Any, right: Any) -> bool:
    """Compare JSON values: ``1`` and ``True`` differ, which Python does not see."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    return bool(left == right)


def _invalid(path: str, value: Any, detail: str) -> FieldError:
    rendered = '"null"' if value is None else shown(value)
    return FieldError("FieldValueInvalid", path, f"Invalid value: {rendered}: {detail}")


def _wrong_type(path: str, wanted: str, found: str) -> FieldError:
    quoted = shown(found)
    detail = f"{path} in body must be of type {wanted}: {quoted}"
    return FieldError("FieldValueTypeInvalid", path, f"Invalid value: {quoted}: {detail}")


def _type_part(schema: Schema) -> Check | None:
    types = types_of(schema)
    named = schema.get("format") or ""
    if not types:
        return None
    taken: tuple[type, ...] = tuple({kind for one in types for kind in _PYTHON.get(one, ())})
    wanted = ",".join(types)
    nullable = bool(schema.get("nullable")) or "null" in types
    integral = "integer" in types
    plain_format = named if format_check(named) and not integral and "number" not in types else ""

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        kind = type(value)
        if kind in taken:
            return
        if value is None:
            if not nullable:
                found.append(_wrong_type(path, wanted, "null"))
            return
        if kind is float and integral and value.is_integer():
            return
        if plain_format and kind is not list:
            found.append(_wrong_type(path, plain_format, _GO_FORMATS.get(kind, "")))
            return
        found.append(_wrong_type(path, wanted, json_type(value)))

    return check


def _string_part(schema: Schema) -> Check | None:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    pattern = schema.get("pattern")
    if longest is None and not shortest and not pattern:
        return None
    search = _searcher(pattern) if pattern else None

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is not str:
            return
        if longest is not None and len(value) > longest:
            found.append(
                FieldError(
                    "FieldValueTooLong", path, f"Too long: may not be more than {longest} bytes"
                )
            )
        elif shortest and len(value) < shortest:
            detail = f"{path} in body should be at least {shortest} chars long"
            found.append(_invalid(path, value, detail))
        elif search is not None and not search(value):
            found.append(_invalid(path, value, f"{path} in body should match '{pattern}'"))

    return check


def _searcher(pattern: str) -> Callable[[str], Any]:
    try:
        return compile_pattern(pattern)
    except PatternError:
        return lambda _text: False  # what upstream does with a pattern that does not compile


def _format_part(schema: Schema) -> Check | None:
    named = schema.get("format") or ""
    valid: FormatCheck | None = format_check(named) if named else None
    if valid is None:
        return None

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is str and not valid(value):
            found.append(_wrong_type(path, named, value))

    return check


def _number_part(schema: Schema) -> Check | None:
    highest, lowest = schema.get("maximum"), schema.get("minimum")
    factor = schema.get("multipleOf")
    if highest is None and lowest is None and not factor:
        return None
    below = bool(schema.get("exclusiveMaximum"))
    above = bool(schema.get("exclusiveMinimum"))

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is not int and type(value) is not float:
            return
        if factor and not _is_multiple(value, factor):
            detail = f"{path} in body should be a multiple of {_number(factor)}"
            found.append(_invalid(path, value, detail))
        if lowest is not None and (value <= lowest if above else value < lowest):
            words = "greater than" if above else "greater than or equal to"
            found.append(
                _invalid(path, value, f"{path} in body should be {words} {_number(lowest)}")
            )
        if highest is not None and (value >= highest if below else value > highest):
            words = "less than" if below else "less than or equal to"
            found.append(
                _invalid(path, value, f"{path} in body should be {words} {_number(highest)}")
            )

    return check


def _is_multiple(value: float, factor: float) -> bool:
    if isinstance(value, int) and float(factor).is_integer():
        return value % int(factor) == 0
    quotient = value / factor
    return float(quotient).is_integer()


def _number(value: float) -> str:
    """Write a number as Go's ``%v`` does."""
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


def _list_part(schema: Schema) -> Check | None:
    items = schema.get("items")
    item_check = compile_values(items) if isinstance(items, Mapping) else None
    most, fewest = schema.get("maxItems"), schema.get("minItems")
    if item_check is None and most is None and not fewest:
        return None
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    correlated = schema.get("x-kubernetes-list-type") == "map" and keys

    def check(value: Any, old: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is not list:
            return
        if item_check is not None:
            counterpart = _by_key(old, keys) if correlated and type(old) is list else None
            for index, item in enumerate(value):
                before = (
                    ABSENT if counterpart is None else counterpart.get(_key(item, keys), ABSENT)
                )
                item_check(item, before, f"{path}[{index}]", found)
        size = len(value)
        if fewest and size < fewest:
            found.append(
                _invalid(path, size, f"{path} in body should have at least {fewest} items")
            )
        if most is not None and size > most:
            found.append(too_many(path, size, most))

    return check


def too_many(path: str, size: int, most: int) -> FieldError:
    """More items or properties than there may be."""
    word = "item" if most == 1 else "items"
    return FieldError(
        "FieldValueTooMany", path, f"Too many: {size}: must have at most {most} {word}"
    )


def _by_key(items: list[Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {_key(item, keys): item for item in items}


def _key(item: Any, keys: tuple[str, ...]) -> str:
    if type(item) is not dict:
        return ""
    return repr([item.get(key) for key in keys])


def _enum_part(schema: Schema) -> Check | None:
    allowed = schema.get("enum")
    if not allowed:
        return None
    nullable = bool(schema.get("nullable"))
    texts = [one if isinstance(one, str) else shown(one) for one in allowed]
    listed = ", ".join(f'"{text}"' for text in texts)

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        if value is None and nullable:
            return
        for one in allowed:
            if one == value and isinstance(one, bool) is isinstance(value, bool):
                return
        found.append(
            FieldError(
                "FieldValueNotSupported",
                path,
                f"Unsupported value: {shown(value)}: supported values: {listed}",
            )
        )

    return check


def _object_part(schema: Schema) -> Check | None:
    properties: dict[str, Check] = {}
    specified = schema.get("properties") or {}
    for name, below in specified.items():
        made = compile_values(below)
        if made is not None:
            properties[name] = made
    additional = schema.get("additionalProperties")
    value_check = compile_values(additional) if isinstance(additional, Mapping) else None
    required = tuple(schema.get("required") or ())
    most, fewest = schema.get("maxProperties"), schema.get("minProperties")
    closed = additional is False
    if not (properties or value_check or required or most is not None or fewest or closed):
        return None

    def check(value: Any, old: Any, path: str, found: list[FieldError]) -> None:
        if type(value) is not dict:
            return
        size = len(value)
        if fewest and size < fewest:
            detail = f"{path} in body should have at least {fewest} properties"
            found.append(_invalid(path, size, detail))
            return
        if most is not None and size > most:
            found.append(too_many(path, size, most))
            return
        older = old if type(old) is dict else None
        for key, item in value.items():
            below = properties.get(key)
            if below is None:
                if key in specified:
                    continue
                if closed:
                    found.append(
                        _invalid(path, "", f"{path}.{key} in body is a forbidden property")
                    )
                below = value_check
                if below is None:
                    continue
            below(
                item,
                ABSENT if older is None else older.get(key, ABSENT),
                f"{path}.{key}" if path else key,
                found,
            )
        for key in required:
            if key not in value:
                where = f"{path}.{key}" if path else key
                found.append(FieldError("FieldValueRequired", where, "Required value"))

    return check


def _junctors(schema: Schema) -> Check | None:
    parts = [
        part
        for part in (_any_of(schema), _one_of(schema), _all_of(schema), _not(schema))
        if part is not None
    ]
    if not parts:
        return None

    def check(value: Any, old: Any, path: str, found: list[FieldError]) -> None:
        for part in parts:
            part(value, old, path, found)

    return check


def _alternatives(schemas: Any) -> list[tuple[Schema, Check]]:
    return [(one, compile_values(one) or _accept) for one in schemas or ()]


def _accept(_value: Any, _old: Any, _path: str, _found: list[FieldError]) -> None:
    """Complain about nothing."""


def _failures(check: Check, value: Any, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    check(value, ABSENT, path, found)
    return found


def _unplaced(detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", "", f'Invalid value: "": {detail}')


def _any_of(schema: Schema) -> Check | None:
    alternatives = _alternatives(schema.get("anyOf"))
    if not alternatives:
        return None

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        failed = []
        for one, below in alternatives:
            problems = _failures(below, value, path)
            if not problems:
                return
            failed.append((one, problems))
        found.append(_unplaced(f'"{path}" must validate at least one schema (anyOf)'))
        found.extend(_best(failed, value))

    return check


def _one_of(schema: Schema) -> Check | None:
    alternatives = _alternatives(schema.get("oneOf"))
    if not alternatives:
        return None

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        failed = []
        for one, below in alternatives:
            problems = _failures(below, value, path)
            if problems:
                failed.append((one, problems))
        valid = len(alternatives) - len(failed)
        if valid == 1:
            return
        counted = f"Found {valid} valid alternatives" if valid else "Found none valid"
        found.append(
            _unplaced(f'"{path}" must validate one and only one schema (oneOf). {counted}')
        )
        if not valid:
            found.extend(_best(failed, value))

    return check


def _best(failed: list[tuple[Schema, list[FieldError]]], value: Any) -> list[FieldError]:
    """Return the complaints of the alternative of which most checks applied."""
    return max(failed, key=lambda one: match_count(one[0], value))[1]


def _all_of(schema: Schema) -> Check | None:
    alternatives = _alternatives(schema.get("allOf"))
    if not alternatives:
        return None

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        failed = 0
        for _, below in alternatives:
            problems = _failures(below, value, path)
            failed += bool(problems)
            found.extend(problems)
        if failed:
            none = ". None validated" if failed == len(alternatives) else ""
            found.append(_unplaced(f'"{path}" must validate all the schemas (allOf){none}'))

    return check


def _not(schema: Schema) -> Check | None:
    forbidden = schema.get("not")
    if not isinstance(forbidden, Mapping):
        return None
    below = compile_values(forbidden) or _accept

    def check(value: Any, _old: Any, path: str, found: list[FieldError]) -> None:
        if not _failures(below, value, path):
            found.append(_unplaced(f'"{path}" must not validate the schema (not)'))

    return check


def match_count(schema: Schema, value: Any) -> int:
    """Count the checks of a schema that apply to a value, by which upstream ranks alternatives."""
    if value is None:
        return 0
    count = 2 + 1  # junctors and enum apply to everything, and the junctors count themselves
    if types_of(schema) or schema.get("format"):
        count += 1
    match value:
        case bool():
            return count
        case str():
            count += 1 + bool(schema.get("format") and format_check(schema["format"]))
        case int() | float():
            count += 2
        case list():
            items = schema.get("items")
            count += 2
            if isinstance(items, Mapping):
                count += sum(match_count(items, item) for item in value)
        case dict():
            count += 1
            for name, below in (schema.get("properties") or {}).items():
                if name in value:
                    count += match_count(below, value[name])
            additional = schema.get("additionalProperties")
            if isinstance(additional, Mapping):
                known = schema.get("properties") or {}
                count += sum(match_count(additional, v) for k, v in value.items() if k not in known)
    for junctor in ("allOf",):
        count += sum(match_count(one, value) for one in schema.get(junctor) or ())
    return count
