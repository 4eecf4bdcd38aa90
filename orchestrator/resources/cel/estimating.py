"""What an expression may cost at most, estimated from what its schema allows."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from orchestrator.resources.cel.checking import Checked
from orchestrator.resources.cel.costs import LIST_COST, MAP_COST, STRUCT_COST, selecting
from orchestrator.resources.cel.nodes import (
    Call,
    Fold,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
    Struct,
)

MOST = 2**64 - 1
"""What is not limited; sums and products stop here."""
_SCALARS = frozenset({"bool", "int", "uint", "double", "duration", "timestamp", "type", "null"})


class Span(NamedTuple):
    """The least and the most of something."""

    low: int
    high: int

    def plus(self, other: Span) -> Span:
        """Add."""
        return Span(min(self.low + other.low, MOST), min(self.high + other.high, MOST))

    def times(self, other: Span) -> Span:
        """Multiply."""
        return Span(min(self.low * other.low, MOST), min(self.high * other.high, MOST))

    def scaled(self, factor: float) -> Span:
        """Multiply, rounding up."""
        return Span(_scaled(self.low, factor), _scaled(self.high, factor))

    def or_else(self, other: Span) -> Span:
        """Return what covers both."""
        return Span(min(self.low, other.low), max(self.high, other.high))


def _scaled(value: int, factor: float) -> int:
    return MOST if value >= MOST else min(ceil(value * factor), MOST)


def exactly(value: int) -> Span:
    """Return a span of one value."""
    return Span(value, value)


_SHOWN = 64
"""Characters that a number, a time or a truth value is written with at most."""
_UNKNOWN = Span(0, MOST)
_ONE = exactly(1)


def estimate(checked: Checked) -> Span:
    """Return what an expression costs at least and at most.

    Sizes are those that the types of its variables carry; what has none may be of any size.
    """
    try:
        return _Estimator(checked).cost(checked.root)
    except RecursionError:
        # So deep a tree is better taken for too costly than walked.
        return _UNKNOWN


class _Estimator:
    def __init__(self, checked: Checked) -> None:
        self._types = checked.types
        self._sizes: dict[Node, Span] = {}
        self._ranges: dict[str, Node] = {}

    def cost(self, node: Node) -> Span:
        match node:
            case Literal():
                return exactly(0)
            case Ident():
                return _ONE
            case Select():
                operand = self.cost(node.operand)
                return operand if node.test else operand.plus(_ONE)
            case Call():
                return self._call(node)
            case ListNode():
                return self._sum(node.elements, LIST_COST)
            case MapNode():
                parts = [part for entry in node.entries for part in (entry.key, entry.value)]
                return self._sum(parts, MAP_COST)
            case Struct():
                return self._sum([entry.value for entry in node.entries], STRUCT_COST)
            case Fold():
                return self._fold(node)

    def _sum(self, nodes: list[Node] | tuple[Node, ...], base: int) -> Span:
        total = exactly(base)
        for node in nodes:
            total = total.plus(self.cost(node))
        return total

    def size(self, node: Node) -> Span:
        """Return how long a value may be."""
        known = self._sizes.get(node)
        if known is not None:
            return known
        if isinstance(node, Literal):
            return exactly(len(node.value)) if isinstance(node.value, str | bytes) else _ONE
        if isinstance(node, ListNode):
            return Span(len(node.elements) - len(node.optional), len(node.elements))
        if isinstance(node, MapNode):
            return exactly(len(node.entries))
        found = self._types[node]
        if found.size is not None and not self._is_lost(node):
            return Span(0, found.size)
        return _ONE if found.kind in _SCALARS else _UNKNOWN

    def _is_lost(self, node: Node) -> bool:
        """Tell whether upstream loses sight of the schema on the way to a value.

        It does where a map's entry is looked up with a dot: what an index finds it knows.
        """
        while True:
            if isinstance(node, Select):
                if self._types[node.operand].kind == "map":
                    return True
                node = node.operand
            elif isinstance(node, Call) and node.function == "_[_]":
                node = node.arguments[0]
            elif isinstance(node, Ident) and node.name in self._ranges:
                node = self._ranges[node.name]
            else:
                return False

    def _element(self, node: Node) -> Span | None:
        """Return how long the elements of a list may be; None unless they are texts."""
        found = self._types[node]
        if found.kind != "list" or found.params[0].kind not in {"string", "bytes"}:
            return None
        if isinstance(node, ListNode) and node.elements:
            sizes = [self.size(one) for one in node.elements]
            return Span(min(s.low for s in sizes), max(s.high for s in sizes))
        limit = found.params[0].size
        return _UNKNOWN if limit is None else Span(0, limit)

    def _call(self, node: Call) -> Span:
        nodes = node.arguments if node.target is None else (node.target, *node.arguments)
        costs = [self.cost(one) for one in nodes]
        function = node.function
        if function in {"_&&_", "_||_"}:
            return Span(costs[0].low, costs[0].plus(costs[1]).high)
        if function == "_?_:_":
            self._sizes[node] = self.size(nodes[1]).or_else(self.size(nodes[2]))
            return costs[0].plus(costs[1].or_else(costs[2]))
        total = exactly(0)
        for cost in costs:
            total = total.plus(cost)
        own, size = self._function(function, nodes)
        if size is not None:
            self._sizes[node] = size
        return total.plus(own)

    def _function(self, function: str, nodes: tuple[Node, ...]) -> tuple[Span, Span | None]:
        sizes = [self.size(one) for one in nodes]
        if not sizes:
            return _ONE, None
        first = sizes[0]
        kind = self._types[nodes[0]].kind
        line = first.scaled(0.1)
        match function:
            case "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_":
                if kind == "opaque" and self._types[nodes[0]].name != "kubernetes.URL":
                    return _ONE, None
                shorter = min(first.high, sizes[1].high)
                if function not in {"_==_", "_!=_"} and kind in _SCALARS:
                    return _ONE, None
                return Span(min(1, shorter), shorter).scaled(0.1), None
            case "_+_":
                made = first.plus(sizes[1])
                if kind == "list":
                    return _ONE, made
                return (made.scaled(0.1), made) if kind not in _SCALARS else (_ONE, None)
            case "@in":
                return (sizes[1] if self._types[nodes[1]].kind != "map" else _ONE), None
            case "startsWith" | "endsWith":
                return sizes[1].scaled(0.1), None
            case "matches" | "find" | "findAll":
                cost = first.plus(_ONE).scaled(0.1).times(sizes[1].scaled(0.25))
                return cost, None if function == "matches" else Span(0, first.high)
            case "contains" if len(sizes) == 2:
                return line.times(sizes[1].scaled(0.1)), None
            case "bytes":
                return line, Span(first.low, min(first.high * 4, MOST))
            case "string" if kind in _SCALARS:
                return _ONE, Span(1, _SHOWN)
            case "string":
                return line, Span(first.low // 4, first.high)
            case "strings.quote":
                return line, Span(first.low + 2, min(first.high * 2 + 2, MOST))
            case "format":
                return line, None
            case "check":
                return exactly(350_000), None
            case "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf":
                if kind == "string":
                    return line, None
                element = self._element(nodes[0])
                return first.times(_ONE.plus(element.scaled(0.1)) if element else _ONE), None
            case "url":
                return line, first
            case "fieldSelector" | "labelSelector":
                low, high = (selecting(size) for size in (sizes[1].low, sizes[1].high))
                return Span(min(low, MOST), min(high, MOST)), None
            case "isURL" | "cidr" | "isIP" | "isCIDR" | "quantity" | "isQuantity":
                return line, None
            case "semver" | "isSemver" | "jsonpatch.escapeKey":
                return line, None
            case "ip":
                return (line, None) if kind == "string" else (_ONE, None)
            case "ip.isCanonical":
                return first.scaled(0.2), None
            case "lowerAscii" | "upperAscii" | "substring" | "trim":
                return line, first
            case "replace":
                return first.scaled(0.2), _replaced(first, sizes[1], sizes[2])
            case "split":
                return first.scaled(0.2), Span(0, first.high)
            case "join":
                made = first.times(self._element(nodes[0]) or _UNKNOWN)
                if len(sizes) > 1:
                    gaps = Span(max(first.low - 1, 0), max(first.high - 1, 0))
                    made = made.plus(sizes[1].times(gaps))
                return made.scaled(0.1), made
            case "containsIP" | "containsCIDR":
                cost = Span(8, 32).scaled(0.1)
                if function == "containsCIDR":
                    cost = cost.plus(Span(4, 16).scaled(0.1)).plus(_ONE)
                if self._types[nodes[1]].kind == "string":
                    cost = cost.plus(sizes[1].scaled(0.1))
                return cost, None
            case "validate":
                # Which format it is shows at run time only; this is its longest pattern's part.
                return sizes[1].scaled(0.1).times(exactly(32)), None
            case "sets.contains" | "sets.intersects" | "sets.equivalent":
                cost = first.times(sizes[1])
                cost = cost if function != "sets.equivalent" else cost.plus(cost)
                return cost.plus(_ONE), None
            case "dyn":
                return _ONE, first
            case "slice" | "flatten":
                return first.plus(_ONE), first if function == "slice" else None
            case _:
                return _ONE, None

    def _fold(self, node: Fold) -> Span:
        over = self.cost(node.range)
        outer = dict(self._ranges)
        self._ranges.update(dict.fromkeys(node.names, node.range))
        condition = self.cost(node.condition) if node.condition is not None else None
        result = self.cost(node.result) if node.result is not None else None
        self._ranges = outer
        macro = node.macro
        if macro in {"optMap", "optFlatMap"}:
            return over.plus(Span(1, 1 + (result.high if result else 0)))
        test = condition or exactly(0)
        if macro in {"all", "exists"}:
            own = 3 if macro == "all" else 4
            turn, last = Span(own, min(own + test.high, MOST)), 1
        elif macro == "exists_one":
            turn, last = test.plus(Span(1, 2)), 2
        else:
            maps = macro.startswith("transformMap")
            own = {"transformMap": 3, "transformMapEntry": 2}.get(macro, 12)
            made = (result or _ONE).plus(exactly(own))
            turn = made if condition is None else test.plus(made.or_else(_ONE))
            last = 1 + (MAP_COST if maps else LIST_COST)
            self._sizes[node] = self.size(node.range)
        turns = self.size(node.range)
        return over.plus(turns.times(turn)).plus(exactly(last))


def _replaced(text: Span, old: Span, new: Span) -> Span:
    if not old.low:
        high = min((text.high + 1) * new.high + text.high, MOST)
    elif new.high <= old.low:
        high = text.high
    else:
        high = min(ceil(text.high / old.low) * new.high, MOST)
    if not old.high:
        low = (text.low + 1) * new.low + text.low
    elif old.high <= new.low:
        low = text.low
    else:
        low = ceil(text.low / old.high) * new.low
    return Span(min(low, MOST), high)
