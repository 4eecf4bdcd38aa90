"""Types of expressions, and when one may stand where another is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Type:
    """A type: a kind with parameters. Compared by kind, name and parameters.

    Attributes:
        kind: ``dyn``, ``null``, ``bool``, ``int``, ``uint``, ``double``, ``string``, ``bytes``,
            ``duration``, ``timestamp``, ``list``, ``map``, ``type``, ``optional``, ``object``,
            ``opaque``, ``param``, ``error``.
        name: As upstream writes it; of objects and opaque types the declared name.
        params: Of lists, maps, optionals and types of types.
    """

    __slots__ = (
        "_fields",
        "convert",
        "kind",
        "list_keys",
        "list_type",
        "name",
        "names",
        "params",
        "size",
    )

    def __init__(
        self,
        kind: str,
        name: str = "",
        params: tuple[Type, ...] = (),
        fields: Callable[[], Mapping[str, Type]] | None = None,
    ) -> None:
        self.kind = kind
        self.name = name or kind
        self.params = params
        self._fields = fields
        self.convert: Callable[[Any], Any] | None = None
        """From a JSON value of this type to the value that expressions see; None: the same."""
        self.size: int | None = None
        """Most elements, characters or bytes that a schema allows; None: not limited."""
        self.list_type = ""
        """``set`` or ``map`` for lists that compare and add up as such."""
        self.names: Mapping[str, str] = {}
        """Of an object: the JSON names of fields that expressions write otherwise."""
        self.list_keys: tuple[str, ...] = ()
        """Of a list that is a map: the fields that tell its elements apart."""

    @property
    def fields(self) -> Mapping[str, Type] | None:
        """The fields of an object type; None for one that may have any."""
        return self._fields() if self._fields is not None else None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Type)
            and self.kind == other.kind
            and self.name == other.name
            and self.params == other.params
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.params))

    def __str__(self) -> str:
        if self.kind == "optional":
            return f"optional_type({self.params[0]})"
        if self.params:
            return f"{self.name}({', '.join(map(str, self.params))})"
        return f"<{self.name}>" if self.kind == "param" else self.name

    def __repr__(self) -> str:
        return f"Type({self})"


DYN = Type("dyn")
NULL = Type("null")
BOOL = Type("bool")
INT = Type("int")
UINT = Type("uint")
DOUBLE = Type("double")
STRING = Type("string")
BYTES = Type("bytes")
DURATION = Type("duration")
TIMESTAMP = Type("timestamp")
ERROR = Type("error", "!error!")
SIMPLE = {
    kind.kind: kind
    for kind in (DYN, NULL, BOOL, INT, UINT, DOUBLE, STRING, BYTES, DURATION, TIMESTAMP)
}


def list_of(element: Type) -> Type:
    """``list(element)``."""
    return Type("list", params=(element,))


def map_of(key: Type, value: Type) -> Type:
    """``map(key, value)``."""
    return Type("map", params=(key, value))


def optional_of(value: Type) -> Type:
    """``optional_type(value)``."""
    return Type("optional", params=(value,))


def type_of(value: Type) -> Type:
    """``type(value)``."""
    return Type("type", params=(value,))


def opaque(name: str) -> Type:
    """A type that only functions know how to handle, ``net.IP``."""
    return Type("opaque", name)


def param(name: str) -> Type:
    """A type variable."""
    return Type("param", name)


def objects(name: str, fields: Callable[[], Mapping[str, Type]] | None) -> Type:
    """An object type; ``fields`` is asked when a field is looked up."""
    return Type("object", name, fields=fields)


Bindings = dict[str, Type]
"""What type variables stand for, by name."""


def resolved(found: Type, bindings: Bindings) -> Type:
    """Follow a type variable to what it stands for, one level."""
    while found.kind == "param" and found.name in bindings:
        found = bindings[found.name]
    return found


def substituted(found: Type, bindings: Bindings, *, free: Type | None = None) -> Type:
    """Replace type variables everywhere; those that stand for nothing become ``free`` if given."""
    found = resolved(found, bindings)
    if found.kind == "param":
        return found if free is None else free
    if not found.params:
        return found
    params = tuple(substituted(one, bindings, free=free) for one in found.params)
    if params == found.params:
        return found
    made = Type(found.kind, found.name, params)
    made.size = found.size
    return made


_NULLABLE = frozenset({"object", "opaque", "duration", "timestamp", "null"})


def assignable(wanted: Type, given: Type, bindings: Bindings) -> bool:
    """Tell whether a value of one type may stand where another is wanted; binds variables."""
    wanted, given = resolved(wanted, bindings), resolved(given, bindings)
    if wanted.kind == "param":
        if given.kind == "param" and given.name == wanted.name:
            return True
        if _occurs(wanted.name, given, bindings):
            return False
        bindings[wanted.name] = given
        return True
    if given.kind == "param":
        if _occurs(given.name, wanted, bindings):
            return False
        bindings[given.name] = wanted
        return True
    if wanted.kind in {"dyn", "error"} or given.kind in {"dyn", "error"}:
        return True
    if given.kind == "null":
        return wanted.kind in _NULLABLE
    if wanted.kind == "null":
        return given.kind in _NULLABLE
    if wanted.kind != given.kind or wanted.name != given.name:
        return False
    if wanted.kind == "type":
        return True
    return len(wanted.params) == len(given.params) and all(
        assignable(one, other, bindings)
        for one, other in zip(wanted.params, given.params, strict=True)
    )


def _occurs(name: str, found: Type, bindings: Bindings) -> bool:
    found = resolved(found, bindings)
    if found.kind == "param":
        return found.name == name
    return any(_occurs(name, one, bindings) for one in found.params)


def more_general(one: Type, other: Type) -> Type:
    """Of two types that fit each other, the one that says less."""
    if one.kind in {"dyn", "error"}:
        return one
    if other.kind in {"dyn", "error"}:
        return other
    if one.kind == "null":
        return other
    if len(one.params) == len(other.params) and one.params:
        params = tuple(map(more_general, one.params, other.params))
        return one if params == one.params else Type(one.kind, one.name, params)
    return one
