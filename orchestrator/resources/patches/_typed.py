"""An applied configuration against its schema: every field declared, of its type, named once.

Server-side apply types the configuration before it merges it, whatever field validation was asked
for. Source of the words: sigs.k8s.io/structured-merge-diff (typed) and the structured merge manager
of k8s.io/apimachinery.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.resources.definitions import SchemaNode
from orchestrator.resources.errors import StatusError, bad_request
from orchestrator.resources.objects import Object, name_of, namespace_of
from orchestrator.resources.patches._printing import go_syntax, go_type, printed
from orchestrator.resources.patches._shapes import key_defaults, scalar_text
from orchestrator.resources.patches.field_sets import path_text

_Path = tuple[str, ...]
_Problem = tuple[_Path, str]


def check_typed(config: Object, schema: SchemaNode | None) -> None:
    """Refuse a configuration that does not fit its schema.

    Args:
        config: As the client sent it.
        schema: The kind's structure; without one anything fits.

    Raises:
        StatusError: 400 with all problems. Upstream says the same with 500, which would blame the
            server for the client's mistake.
    """
    if schema is None:
        return
    problems = list(_check(config, schema, ()))
    if problems:
        raise _refusal(config, problems)


def _refusal(config: Object, problems: list[_Problem]) -> StatusError:
    texts = [f"{path_text(path)}: {why}" if path else why for path, why in problems]
    named = config if isinstance(config.get("metadata"), dict) else {}
    joined = texts[0] if len(texts) == 1 else "\n".join(["errors:", *(f"  {t}" for t in texts)])
    return bad_request(
        f"failed to create typed patch object ({namespace_of(named)}/{name_of(named)}; "
        f"{config.get('apiVersion')}, Kind={config.get('kind')}): {joined}"
    )


def _check(value: Any, schema: SchemaNode, path: _Path) -> Iterator[_Problem]:
    if value is None:
        return
    if schema.is_quantity or schema.is_int_or_string:
        if isinstance(value, dict | list):
            yield path, f"expected any scalar, got &{{{printed(value)}}}"
        return
    match schema.type:
        case "object":
            yield from _check_object(value, schema, path)
        case "array":
            yield from _check_list(value, schema, path)
        case "string":
            if not isinstance(value, str):
                yield path, f"expected string, got {_shown(value)}"
        case "boolean":
            if not isinstance(value, bool):
                yield path, f"expected boolean, got {_shown(value)}"
        case "integer" | "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                yield path, f"expected numeric (int or float), got {go_type(value)}"


def _shown(value: Any) -> str:
    return f"&value.valueUnstructured{{Value:{go_syntax(value)}}}"


def _check_object(value: Any, schema: SchemaNode, path: _Path) -> Iterator[_Problem]:
    if not isinstance(value, dict):
        yield path, f"expected map, got &{{{printed(value)}}}"
        return
    if schema.is_free_form:
        return
    for name, item in value.items():
        below = schema.fields.get(name) or schema.additional
        here = (*path, f"f:{name}")
        if below is not None:
            yield from _check(item, below, here)
        elif not schema.open:
            yield here, "field not declared in schema"


def _check_list(value: Any, schema: SchemaNode, path: _Path) -> Iterator[_Problem]:
    if not isinstance(value, list):
        yield path, f"expected list, got &{{{printed(value)}}}"
        return
    items = schema.items
    seen = set()
    for index, item in enumerate(value):
        element, why = _element(item, index, schema)
        if why:
            yield path, f"element {index}: {why}"
            continue
        if element in seen:
            yield path, f"duplicate entries for key {path_text((element,))}"
        seen.add(element)
        if items is not None:
            yield from _check(item, items, (*path, element))


def _element(item: Any, index: int, schema: SchemaNode) -> tuple[str, str]:
    """Return the path element of an item, or what is wrong with it."""
    if schema.list_type == "set":
        if isinstance(item, dict):
            return "", "associative list without keys has an element that's a map type"
        if isinstance(item, list):
            return "", "not supported: associative list with lists as elements"
        if item is None:
            return "", "associative list without keys has an element that's an explicit null"
        return f"v:{scalar_text(item)}", ""
    if schema.list_type != "map" or not schema.map_keys:
        return f"i:{index}", ""
    if item is None:
        return "", "associative list with keys may not have a null element"
    if not isinstance(item, dict):
        return "", "associative list with keys may not have non-map elements"
    defaults = key_defaults(schema)
    keys = {key: item.get(key, defaults.get(key)) for key in sorted(schema.map_keys)}
    parts = [f'"{key}":{scalar_text(value)}' for key, value in keys.items() if value is not None]
    if not any(item.get(key) is not None for key in keys):
        names = " ".join(f'"{key}"' for key in schema.map_keys)
        return "", (
            f"associative list with keys has an element that omits all key fields [{names}] (and "
            "doesn't have default values for any key fields)"
        )
    return "k:{" + ",".join(parts) + "}", ""
