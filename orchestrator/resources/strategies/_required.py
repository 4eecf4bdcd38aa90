"""Required fields of kinds that have no module of their own, read from the published schema.

Only text and structures count: numbers, flags and lists are required in the schema wherever they
have no ``omitempty`` upstream, where leaving them out means zero and is allowed.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.definitions import SchemaNode, definitions
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import required
from orchestrator.resources.strategies._strategy import ValidateCreate

_SKIPPED: Final = frozenset({"apiVersion", "kind", "metadata", "status"})


def required_check(kind: Kind) -> ValidateCreate:
    """Make the check that text which the schema requires is there."""

    def check(obj: Object) -> list[FieldError]:
        if not kind.definition:
            return []
        node = definitions(kind.release).schema_of(kind)
        found: list[FieldError] = []
        for field, inner in node.fields.items():
            if field not in _SKIPPED:
                _check(inner, obj.get(field), field, found, needed=field in node.required)
        return found

    return check


def _check(node: SchemaNode, value: Any, at: str, found: list[FieldError], *, needed: bool) -> None:
    """Walk a value beside its schema; an absent structure that is needed counts as empty."""
    if node.type == "string" and not node.format:
        if needed and value is None:
            found.append(required(at))
    elif node.type == "array" and isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            _check(node.items, item, f"{at}[{index}]", found, needed=False)
    elif node.type == "object" and node.fields and (needed or isinstance(value, dict)):
        given = value if isinstance(value, dict) else {}
        for field, inner in node.fields.items():
            if field in given or field in node.required:
                _check(
                    inner,
                    given.get(field),
                    f"{at}.{field}",
                    found,
                    needed=field in node.required,
                )
