"""The syntax tree. Macros are nodes of their own, not expanded, so that they compile to loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A constant; unsigned numbers are `values.Uint`."""

    position: int
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Ident:
    """A name."""

    position: int
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Select:
    """``operand.field``, ``operand.?field`` and, as ``test``, ``has(operand.field)``."""

    position: int
    operand: Node
    field: str
    test: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A function, a method (with ``target``) or an operator (by its CEL name, ``_+_``)."""

    position: int
    function: str
    target: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ListNode:
    """``[a, ?b]``; ``optional`` holds the indices of the elements with a question mark."""

    position: int
    elements: tuple[Node, ...]
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entry of a map, or one field of a message (whose key is its name)."""

    position: int
    key: Any
    value: Node
    optional: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MapNode:
    """``{key: value}``; the keys of the entries are nodes."""

    position: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Struct:
    """``Name{field: value}``; the keys of the entries are names."""

    position: int
    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """A macro over a list or a map.

    Attributes:
        position: Of the macro's parenthesis.
        macro: ``all``, ``exists``, ``exists_one``, ``map``, ``filter``, ``transformList``,
            ``transformMap``, ``transformMapEntry``, ``optMap``, ``optFlatMap``.
        range: What is walked over.
        names: One name, or two for an index or key and a value.
        condition: The predicate; of ``map`` and the transforms the filter, or None.
        result: What each element becomes; None for predicates and ``filter``.
    """

    position: int
    macro: str
    range: Node
    names: tuple[str, ...]
    condition: Node | None
    result: Node | None


Node: TypeAlias = Literal | Ident | Select | Call | ListNode | MapNode | Struct | Fold
