"""Configurations that policies apply: merged like server-side apply, owned by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.resources.definitions import SchemaNode
from orchestrator.resources.errors import bad_request
from orchestrator.resources.objects import Object
from orchestrator.resources.patches._merging import merge
from orchestrator.resources.patches._shapes import Relation, Shape, shape_of
from orchestrator.resources.patches._typed import check_typed
from orchestrator.resources.patches.errors import shallow


@shallow
def apply_configuration(obj: Object, applied: dict[str, Any], schema: SchemaNode | None) -> Object:
    """Return an object with a part of its configuration merged in.

    Args:
        obj: The object.
        applied: What is to be in it.
        schema: Of the object; None where it is not known.

    Raises:
        StatusError: 400, it would change what can only be replaced as a whole.
    """
    shape = shape_of(schema)
    atomic = list(_atomic(applied, shape, ""))
    if atomic:
        raise bad_request(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: "
            + ", ".join(atomic)
        )
    check_typed(applied, schema)
    return merge(obj, applied, shape)


def _atomic(value: dict[str, Any], shape: Shape, path: str) -> Iterator[str]:
    for name, item in value.items():
        below = shape.fields[name]
        where = f"{path}.{name}"
        if isinstance(item, dict | list) and below.relation is Relation.LEAF:
            yield where
        elif isinstance(item, dict):
            yield from _atomic(item, below, where)
        elif isinstance(item, list) and below.items is not None:
            for element in item:
                if isinstance(element, dict):
                    yield from _atomic(element, below.items, where)
