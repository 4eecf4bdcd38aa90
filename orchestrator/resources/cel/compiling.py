"""A checked tree to closures.

A closure takes a frame, a list: its first place holds what is left of the budget, then come the
variables, then the names of macros. What a piece of straight-line code costs is known beforehand,
so only branches and loops charge, for all that follows up to the next branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from orchestrator.resources.cel import folding
from orchestrator.resources.cel.checking import Checked
from orchestrator.resources.cel.costs import CALLS, LIST_COST, MAP_COST, STRUCT_COST
from orchestrator.resources.cel.errors import BudgetExceeded, EvaluationError, NoSuchOverload
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
from orchestrator.resources.cel.types import Type
from orchestrator.resources.cel.values import (
    NONE,
    Message,
    OptionalValue,
    to_key,
)

Frame: TypeAlias = list[Any]
Run: TypeAlias = Callable[[Frame], Any]


class Code(NamedTuple):
    """A compiled node.

    Attributes:
        run: Computes its value.
        cost: What is charged for it by whoever runs it.
    """

    run: Run
    cost: int


class Compiled(NamedTuple):
    """A compiled expression.

    Attributes:
        run: Computes its value in a frame.
        cost: What running it costs at least.
        size: Places in its frame.
    """

    run: Run
    cost: int
    size: int


def compile_tree(checked: Checked, variables: Iterable[str]) -> Compiled:
    """Compile a tree; the variables take the places after the budget, in their order."""
    compiler = _Compiler(checked, {name: at + 1 for at, name in enumerate(variables)})
    code = compiler.visit(checked.root)
    return Compiled(code.run, code.cost, compiler.size)


def charged(code: Code, more: int = 0) -> Run:
    """Return a closure that pays for what it runs."""
    run, cost = code.run, code.cost + more
    if not cost:
        return run

    def pay(frame: Frame) -> Any:
        frame[0] -= cost
        if frame[0] < 0:
            raise BudgetExceeded
        return run(frame)

    return pay


class _Compiler:
    def __init__(self, checked: Checked, places: dict[str, int]) -> None:
        self._types = checked.types
        self._overloads = checked.overloads
        self._places = places
        self.size = len(places) + 1

    def visit(self, node: Node) -> Code:
        """Compile a node."""
        match node:
            case Literal():
                return Code(_constant(node.value), 0)
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListNode():
                return self._list(node)
            case MapNode():
                return self._map(node)
            case Struct():
                return self._struct(node)
            case Fold():
                return self._fold(node)

    def _ident(self, node: Ident) -> Code:
        return Code(itemgetter(self._places[node.name]), 1)

    def _select(self, node: Select) -> Code:
        operand = self.visit(node.operand)
        kind = self._types[node.operand].kind
        convert = self._types[node].convert
        field = self._types[node.operand].names.get(node.field, node.field)
        if node.test:
            # Kubernetes has `has` cost no more than what it looks at.
            return Code(_has(operand.run, field), operand.cost)
        if node.optional or kind in {"optional", "dyn"}:
            run = _optional_select(operand.run, field, always=node.optional, convert=convert)
            return Code(run, operand.cost + 1)
        if isinstance(node.operand, Ident) and convert is None:
            run = _field_of_place(self._places[node.operand.name], field)
        else:
            run = _field(operand.run, field)
        if convert is not None:
            run = _converted(run, convert)
        return Code(run, operand.cost + 1)

    def _call(self, node: Call) -> Code:
        nodes = node.arguments if node.target is None else (node.target, *node.arguments)
        codes = [self.visit(one) for one in nodes]
        function = node.function
        special = _LOGIC.get(function)
        if special is not None:
            return special(codes)
        types = [self._types[one] for one in nodes]
        if function in {"or", "orValue"} and node.target is not None:
            return _alternative(function, codes)
        cost = sum(code.cost for code in codes)
        runs = [code.run for code in codes]
        measure = CALLS.get(function, 1)
        if function in {"_==_", "_!=_"} and all(one.kind in _PLAIN for one in types):
            # Of one type: the checker saw to it. There is nothing to measure either.
            return Code(_plain_equal(function, *runs), cost + 1)
        if function in _COMPARISONS and all(one.kind in _SCALARS for one in types):
            measure = 1
        call = self._target(node, types)
        fixed = measure if isinstance(measure, int) else 0
        run = _applied(call, runs) if isinstance(measure, int) else _metered(call, runs, measure)
        return Code(run, cost + fixed)

    def _target(self, node: Call, types: list[Type]) -> Callable[..., Any]:
        overloads = self._overloads[node]
        calls = {overload.call for overload in overloads}
        generic = getattr(overloads[0].call, "generic", False)
        if len(calls) == 1 and (generic or not any(one.kind in _UNSURE for one in types)):
            return overloads[0].call
        return _dispatched(overloads)

    def _list(self, node: ListNode) -> Code:
        codes = [self.visit(one) for one in node.elements]
        cost = sum(code.cost for code in codes) + LIST_COST
        runs = [code.run for code in codes]
        if node.optional:
            return Code(_optional_list(runs, node.optional), cost)
        if all(isinstance(one, Literal) for one in node.elements):
            return Code(
                _constant([one.value for one in node.elements if isinstance(one, Literal)]), cost
            )
        return Code(lambda frame: [run(frame) for run in runs], cost)

    def _map(self, node: MapNode) -> Code:
        pairs: list[tuple[Run, Run, bool]] = []
        cost = MAP_COST
        for entry in node.entries:
            key, value = self.visit(entry.key), self.visit(entry.value)
            cost += key.cost + value.cost
            pairs.append((key.run, value.run, entry.optional))
        return Code(_made_map(pairs), cost)

    def _struct(self, node: Struct) -> Code:
        fields: list[tuple[str, Run, bool]] = []
        cost = STRUCT_COST
        for entry in node.entries:
            value = self.visit(entry.value)
            cost += value.cost
            fields.append((entry.key, value.run, entry.optional))
        return Code(_made_message(node.name, fields), cost)

    def _fold(self, node: Fold) -> Code:
        over = self.visit(node.range)
        outer = {name: self._places.get(name) for name in node.names}
        places: list[int] = []
        for name in node.names:
            self._places[name] = self.size
            places.append(self.size)
            self.size += 1
        condition = self.visit(node.condition) if node.condition is not None else None
        result = self.visit(node.result) if node.result is not None else None
        for name, place in outer.items():
            if place is None:
                del self._places[name]
            else:
                self._places[name] = place
        if node.macro in {"optMap", "optFlatMap"}:
            assert result is not None
            run = folding.optional(
                over.run, charged(result), places[0], flat=node.macro == "optFlatMap"
            )
            return Code(run, over.cost + 1)
        first, each, last = folding.COSTS[node.macro, len(places)]
        run = folding.MAKERS[node.macro](
            over.run,
            tuple(places),
            charged(condition, each) if condition is not None else folding.always(each),
            charged(result, first) if result is not None else folding.always(first),
        )
        return Code(run, over.cost + last)


_PLAIN = frozenset({"int", "bool"})
_UNSURE = frozenset({"dyn", "null"})
_SCALARS = frozenset({"int", "uint", "double", "bool", "duration", "timestamp"})
_COMPARISONS = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_+_", "string"})


def _constant(value: Any) -> Run:
    return lambda _frame: value


def _plain_equal(function: str, one: Run, other: Run) -> Run:
    if function == "_==_":
        return lambda frame: one(frame) == other(frame)
    return lambda frame: one(frame) != other(frame)


def _missing(field: str) -> EvaluationError:
    return EvaluationError(f"no such key: {field}")


def _field(operand: Run, field: str) -> Run:
    def run(frame: Frame) -> Any:
        try:
            return operand(frame)[field]
        except KeyError:
            raise _missing(field) from None
        except (TypeError, IndexError):
            raise NoSuchOverload from None

    return run


def _field_of_place(place: int, field: str) -> Run:
    def run(frame: Frame) -> Any:
        try:
            return frame[place][field]
        except KeyError:
            raise _missing(field) from None
        except (TypeError, IndexError):
            raise NoSuchOverload from None

    return run


def _converted(run: Run, convert: Callable[[Any], Any]) -> Run:
    return lambda frame: convert(run(frame))


def _has(operand: Run, field: str) -> Run:
    def run(frame: Frame) -> bool:
        value = operand(frame)
        if type(value) is OptionalValue:
            value = value.value
            return isinstance(value, Mapping) and field in value
        if not isinstance(value, Mapping):
            raise NoSuchOverload
        return field in value

    return run


def _optional_select(
    operand: Run, field: str, *, always: bool, convert: Callable[[Any], Any] | None
) -> Run:
    def run(frame: Frame) -> Any:
        value = operand(frame)
        wrapped = type(value) is OptionalValue
        if wrapped:
            if not value.full:
                return NONE
            value = value.value
        if not isinstance(value, Mapping):
            raise NoSuchOverload
        try:
            found = value[field]
        except KeyError:
            if wrapped or always:
                return NONE
            raise _missing(field) from None
        if convert is not None:
            found = convert(found)
        return OptionalValue(found) if wrapped or always else found

    return run


def _not(codes: list[Code]) -> Code:
    (operand,) = codes
    inner = operand.run

    def run(frame: Frame) -> bool:
        value = inner(frame)
        if value is True:
            return False
        if value is False:
            return True
        raise NoSuchOverload

    return Code(run, operand.cost + 1)


def _junction(decisive: bool) -> Callable[[list[Code]], Code]:
    """Both ``&&`` and ``||``: a decisive side decides, even beside one that has failed."""
    neutral = not decisive

    def make(codes: list[Code]) -> Code:
        first, second = codes[0].run, charged(codes[1])

        def recovered(frame: Frame, error: EvaluationError) -> Any:
            if second(frame) is decisive:
                return decisive
            raise error

        def run(frame: Frame) -> Any:
            try:
                left = first(frame)
            except BudgetExceeded:
                raise
            except EvaluationError as error:
                return recovered(frame, error)
            if left is decisive:
                return decisive
            if left is not neutral:
                return recovered(frame, NoSuchOverload())
            right = second(frame)
            if right is True or right is False:
                return right
            raise NoSuchOverload

        return Code(run, codes[0].cost)

    return make


def _choice(codes: list[Code]) -> Code:
    condition, then, otherwise = codes[0].run, charged(codes[1]), charged(codes[2])

    def run(frame: Frame) -> Any:
        decided = condition(frame)
        if decided is True:
            return then(frame)
        if decided is False:
            return otherwise(frame)
        raise NoSuchOverload

    return Code(run, codes[0].cost)


_LOGIC: dict[str, Callable[[list[Code]], Code]] = {
    "!_": _not,
    "_&&_": _junction(False),
    "_||_": _junction(True),
    "_?_:_": _choice,
}


def _alternative(function: str, codes: list[Code]) -> Code:
    first, second = codes[0].run, charged(codes[1])
    inside = function == "orValue"

    def run(frame: Frame) -> Any:
        found = first(frame)
        if type(found) is not OptionalValue:
            raise NoSuchOverload
        if found.full:
            return found.value if inside else found
        other = second(frame)
        if not inside and type(other) is not OptionalValue:
            raise NoSuchOverload
        return other

    return Code(run, codes[0].cost + 1)


def _applied(call: Callable[..., Any], runs: list[Run]) -> Run:
    if len(runs) == 1:
        (only,) = runs
        return lambda frame: call(only(frame))
    if len(runs) == 2:
        first, second = runs
        return lambda frame: call(first(frame), second(frame))
    return lambda frame: call(*[run(frame) for run in runs])


def _metered(
    call: Callable[..., Any], runs: list[Run], measure: Callable[[tuple[Any, ...], Any], int]
) -> Run:
    def run(frame: Frame) -> Any:
        arguments = tuple([one(frame) for one in runs])
        result = call(*arguments)
        frame[0] -= measure(arguments, result)
        if frame[0] < 0:
            raise BudgetExceeded
        return result

    return run


def _dispatched(overloads: Iterable[Any]) -> Callable[..., Any]:
    """Choose the overload by the values' types; a choice is made once for each combination."""
    candidates = tuple(overloads)
    chosen: dict[Any, Callable[..., Any]] = {}

    def choose(kinds: Any, arguments: tuple[Any, ...]) -> Callable[..., Any]:
        for overload in candidates:
            if overload.takes(arguments):
                found: Callable[..., Any] = overload.call
                chosen[kinds] = found
                return found
        raise NoSuchOverload

    def one(argument: Any) -> Any:
        kind = type(argument)
        return (chosen.get(kind) or choose(kind, (argument,)))(argument)

    def two(first: Any, second: Any) -> Any:
        kinds = (type(first), type(second))
        return (chosen.get(kinds) or choose(kinds, (first, second)))(first, second)

    def call(*arguments: Any) -> Any:
        kinds = tuple(map(type, arguments))
        return (chosen.get(kinds) or choose(kinds, arguments))(*arguments)

    by_count: dict[int, Callable[..., Any]] = {1: one, 2: two}
    return by_count.get(len(candidates[0].params), call)


def _optional_list(runs: list[Run], optional: frozenset[int]) -> Run:
    def run(frame: Frame) -> list[Any]:
        made: list[Any] = []
        for index, one in enumerate(runs):
            value = one(frame)
            if index not in optional:
                made.append(value)
            elif type(value) is not OptionalValue:
                raise NoSuchOverload
            elif value.full:
                made.append(value.value)
        return made

    return run


def _made_map(pairs: list[tuple[Run, Run, bool]]) -> Run:
    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key_run, value_run, optional in pairs:
            raw = key_run(frame)
            key = to_key(raw)
            value = value_run(frame)
            if optional:
                if type(value) is not OptionalValue:
                    raise NoSuchOverload
                if not value.full:
                    continue
                value = value.value
            if key in made:
                raise EvaluationError(f"Failed with repeated key: {raw}")
            made[key] = value
        return made

    return run


def _made_message(name: str, fields: list[tuple[str, Run, bool]]) -> Run:
    def run(frame: Frame) -> Message:
        made: dict[str, Any] = {}
        for field, value_run, optional in fields:
            value = value_run(frame)
            if optional:
                if type(value) is not OptionalValue:
                    raise NoSuchOverload
                if not value.full:
                    continue
                value = value.value
            made[field] = value
        return Message(name, made)

    return run
