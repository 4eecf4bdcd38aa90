"""How each place of an object is owned: field by field, item by item, or as a whole.

A `Shape` is a schema node boiled down to what tracking of field ownership needs, with the children
found by one dictionary lookup. Shapes are made when first asked for and kept with their node:
those of built-in kinds as long as the process lives, those of custom kinds as long as their
definition.
"""

from __future__ import annotations

from enum import IntEnum
from json.encoder import encode_basestring
from typing import Any

from orchestrator.resources.definitions import SchemaNode

KEY_DEFAULTS: dict[str, Any] = {"protocol": "TCP"}
"""Defaults of fields that are map keys; upstream's schema carries them, the published one not."""


class Relation(IntEnum):
    """What is owned at a place."""

    LEAF = 0
    """The value as a whole: scalars, atomic lists and maps."""
    STRUCT = 1
    """Each named field by itself."""
    MAP = 2
    """Each entry by itself."""
    ITEMS = 3
    """Each item of a list, identified by its keys."""
    SET = 4
    """Each scalar of a list."""


class Shape:
    """Ownership at one place.

    Attributes:
        relation: What is owned here.
        fields: Shapes of fields or entries by name; made on demand.
        keys: Identifying fields of a list's items, sorted.
        items: Shape of a list's items.
        defaults: What identifying fields are taken for where they are missing.
        deduced: No schema here: maps are owned by entry, everything else as a whole.
    """

    __slots__ = ("deduced", "defaults", "fields", "items", "keys", "relation")

    def __init__(self, relation: Relation, schema: SchemaNode | None) -> None:
        self.relation = relation
        self.fields = _Fields(schema)
        self.keys: tuple[str, ...] = ()
        self.defaults = KEY_DEFAULTS
        self.items: Shape | None = None
        self.deduced = False

    def key_of(self, item: dict[str, Any]) -> str:
        """Return the path element of a list item: ``k:{"name":"web"}``; ``""`` without keys."""
        parts = []
        for key in self.keys:
            value = item.get(key)
            if value is None:
                value = self.defaults.get(key)
                if value is None:
                    continue
            parts.append(f'"{key}":{scalar_text(value)}')
        return "k:{" + ",".join(parts) + "}" if parts else ""


class _Fields(dict[str, Shape]):
    """Children of a shape; a missing one is made from the schema."""

    __slots__ = ("_schema",)

    def __init__(self, schema: SchemaNode | None) -> None:
        super().__init__()
        self._schema = schema

    def __missing__(self, name: str) -> Shape:
        schema = self._schema
        if schema is None:
            return DEDUCED
        found = schema.fields.get(name) or schema.additional
        if found is None:
            return DEDUCED  # an unknown field: rare, and names from users are not kept
        shape = shape_of(found)
        if name in schema.fields:
            self[name] = shape
        return shape


def scalar_text(value: Any) -> str:
    """Return a JSON scalar as upstream writes it in a path element."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "null"
    return str(value)


LEAF = Shape(Relation.LEAF, None)
"""Owned as a whole."""

DEDUCED = Shape(Relation.MAP, None)
"""Without a schema maps are owned entry by entry, all else as a whole."""
DEDUCED.deduced = True


def shape_of(schema: SchemaNode | None) -> Shape:
    """Return the shape of a schema node; the same one each time."""
    if schema is None:
        return DEDUCED
    shape: Shape | None = schema.shape
    if shape is None:
        shape = schema.shape = _make(schema)
        if shape.relation is Relation.ITEMS:
            shape.items = shape_of(schema.items)
            shape.defaults = key_defaults(schema)
    return shape


def key_defaults(schema: SchemaNode) -> dict[str, Any]:
    """Return what the identifying fields of a list's items are where they are missing."""
    fields = {} if schema.items is None else schema.items.fields
    own = {
        key: fields[key].default
        for key in schema.map_keys
        if key in fields and fields[key].default is not None
    }
    return {**KEY_DEFAULTS, **own} if own else KEY_DEFAULTS


def _make(schema: SchemaNode) -> Shape:
    if schema.type == "array":
        if schema.list_type == "map" and schema.map_keys:
            shape = Shape(Relation.ITEMS, None)
            shape.keys = tuple(sorted(schema.map_keys))
            return shape
        return Shape(Relation.SET, None) if schema.list_type == "set" else LEAF
    if schema.map_type == "atomic":
        return LEAF
    if schema.keeps_unknown and not schema.fields:
        return DEDUCED
    if schema.is_free_form:
        return LEAF
    if schema.fields:
        return Shape(Relation.STRUCT, schema)
    if schema.additional is not None:
        return Shape(Relation.MAP, schema)
    return LEAF
