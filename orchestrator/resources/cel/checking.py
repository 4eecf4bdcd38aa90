"""The type checker: gives every node a type, and every call the overloads that may serve it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from orchestrator.resources.cel.declarations import Overload
from orchestrator.resources.cel.errors import CompileError, EvaluationError, Issue
from orchestrator.resources.cel.functions.regexes import compiled
from orchestrator.resources.cel.nodes import (
    Call,
    Entry,
    Fold,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
    Struct,
)
from orchestrator.resources.cel.times import duration, timestamp
from orchestrator.resources.cel.types import (
    BOOL,
    DYN,
    ERROR,
    INT,
    Bindings,
    Type,
    assignable,
    list_of,
    map_of,
    more_general,
    optional_of,
    param,
    resolved,
    substituted,
    type_of,
)
from orchestrator.resources.cel.types import SIMPLE as _SIMPLE
from orchestrator.resources.cel.values import TypeValue, kind_of

TYPE_NAMES: dict[str, Type] = {
    **{name: _SIMPLE[name] for name in ("bool", "int", "uint", "double", "string", "bytes")},
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "null_type": _SIMPLE["null"],
    "type": type_of(DYN),
    "dyn": DYN,
    "optional_type": optional_of(DYN),
    "google.protobuf.Timestamp": _SIMPLE["timestamp"],
    "google.protobuf.Duration": _SIMPLE["duration"],
}
"""Names that stand for types in expressions."""


LITERALS: dict[str, Callable[[str], Any]] = {
    "duration": duration,
    "timestamp": timestamp,
    "matches": compiled,
}
"""Functions whose constant arguments are tried when an expression is compiled."""


class Checked(NamedTuple):
    """A tree with what is known of it.

    Attributes:
        root: The tree; qualified names in it are resolved.
        types: Of every node.
        overloads: Of every call, those whose parameters fit.
        result: The type of the whole.
    """

    root: Node
    types: dict[Node, Type]
    overloads: dict[Node, tuple[Overload, ...]]
    result: Type


def check(
    source: str,
    root: Node,
    variables: Mapping[str, Type],
    functions: Mapping[str, list[Overload]],
    messages: Mapping[str, Type],
) -> Checked:
    """Give every node its type.

    Args:
        source: The text, for messages.
        root: Its tree.
        variables: Names that may be used, with their types.
        functions: What may be called.
        messages: Object types that may be constructed, by name.

    Raises:
        CompileError: Every type error at once.
    """
    checker = _Checker(variables, functions, messages)
    root = checker.visit(root)
    if checker.issues:
        raise CompileError(source, sorted(set(checker.issues)))
    bindings = checker.bindings
    types = {node: substituted(t, bindings, free=DYN) for node, t in checker.types.items()}
    return Checked(root, types, checker.overloads, types[root])


class _Checker:
    def __init__(
        self,
        variables: Mapping[str, Type],
        functions: Mapping[str, list[Overload]],
        messages: Mapping[str, Type],
    ) -> None:
        self._scope = dict(variables)
        self._functions = functions
        self._messages = messages
        self._fresh = 0
        self.bindings: Bindings = {}
        self.types: dict[Node, Type] = {}
        self.overloads: dict[Node, tuple[Overload, ...]] = {}
        self.issues: list[Issue] = []

    def visit(self, node: Node) -> Node:
        """Check a node; returns it, or what it stands for (qualified names)."""
        node, found = self._visit(node)
        self.types[node] = found
        return node

    def _visit(self, node: Node) -> tuple[Node, Type]:
        match node:
            case Literal():
                return node, _literal_type(node.value)
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

    def _report(self, position: int, message: str) -> Type:
        self.issues.append(Issue(position, message))
        return ERROR

    def _type(self, node: Node) -> Type:
        return substituted(self.types[node], self.bindings)

    def _variable(self) -> Type:
        self._fresh += 1
        return param(f"_{self._fresh}")

    def _fits(self, wanted: Type, given: Type) -> bool:
        trial = dict(self.bindings)
        if not assignable(wanted, given, trial):
            return False
        self.bindings = trial
        return True

    def _joined(self, wanted: Type | None, given: Type) -> Type | None:
        """Return the type of a list with elements of both types; None when they don't go along."""
        if wanted is None:
            return given
        if self._fits(wanted, given):
            return more_general(
                substituted(wanted, self.bindings), substituted(given, self.bindings)
            )
        return None

    def _ident(self, node: Ident) -> tuple[Node, Type]:
        name = node.name.removeprefix(".")
        found = self._scope.get(name)
        if found is not None:
            return (node if name == node.name else Ident(node.position, name)), found
        if name in TYPE_NAMES:
            return Literal(node.position, TypeValue(name)), type_of(TYPE_NAMES[name])
        return node, self._undeclared(node.position, name)

    def _undeclared(self, position: int, name: str) -> Type:
        return self._report(position, f"undeclared reference to '{name}' (in container '')")

    def _select(self, node: Select) -> tuple[Node, Type]:
        qualified = "" if node.test or node.optional else _qualified(node)
        if qualified in TYPE_NAMES:
            return Literal(node.position, TypeValue(qualified)), type_of(TYPE_NAMES[qualified])
        if qualified in self._scope:
            # `authorizer.requestResource` is a variable of its own.
            return Ident(node.position, qualified), self._scope[qualified]
        operand = self.visit(node.operand)
        target = self._type(operand)
        within = target.params[0] if target.kind == "optional" else target
        found = self._field(node, resolved(within, self.bindings), node.optional)
        if node.test:
            found = BOOL if found.kind != "error" else found
        elif target.kind == "optional" or node.optional:
            found = found if found.kind == "optional" and not node.optional else optional_of(found)
        changed = Select(node.position, operand, node.field, node.test, node.optional)
        return changed, found

    def _field(self, node: Select, target: Type, optional: bool) -> Type:
        kind = target.kind
        if kind == "param":
            # cel-go decides here that the variable is dynamic.
            self.bindings[target.name] = DYN
            return DYN
        if kind in {"dyn", "error"}:
            return target
        if kind == "map":
            return target.params[1]
        if kind == "object":
            fields = target.fields
            if fields is None:
                return DYN
            field = fields.get(node.field)
            if field is not None:
                return field
            return self._report(node.position, f"undefined field '{node.field}'")
        del optional
        return self._report(node.position, f"type '{target}' does not support field selection")

    def _call(self, node: Call) -> tuple[Node, Type]:
        target, function = node.target, node.function.removeprefix(".")
        if target is not None:
            qualified = _qualified(target)
            named = f"{qualified}.{function}"
            if named in self._functions and qualified.partition(".")[0] not in self._scope:
                target, function = None, named
        overloads = self._functions.get(function)
        arguments = [self.visit(one) for one in node.arguments]
        if target is not None:
            target = self.visit(target)
        changed = Call(node.position, function, target, tuple(arguments))
        if overloads is None:
            return changed, self._undeclared(node.position, function)
        given = [self._type(one) for one in arguments]
        if target is not None:
            given.insert(0, self._type(target))
        if any(one.kind == "error" for one in given):
            return changed, ERROR
        if function in {"_[_]", "_[?_]"} and given[0].kind == "optional":
            # An index into an optional is one into what it holds, and optional itself.
            given[0] = given[0].params[0]
            serving, found = self._resolve(overloads, False, given)
            if found is not None and found.kind != "optional":
                found = optional_of(found)
        else:
            serving, found = self._resolve(overloads, target is not None, given)
        if found is None:
            return changed, self._report(node.position, _no_match(function, target, given))
        self.overloads[changed] = serving
        self._literals(changed)
        return changed, found

    def _literals(self, node: Call) -> None:
        """Refuse constants that can only fail."""
        valid = LITERALS.get(node.function)
        argument = node.arguments[-1] if node.arguments else None
        if (
            valid is None
            or not isinstance(argument, Literal)
            or not isinstance(argument.value, str)
        ):
            return
        try:
            valid(argument.value)
        except EvaluationError:
            self._report(argument.position, f"invalid {node.function} argument")

    def _resolve(
        self, overloads: list[Overload], member: bool, given: list[Type]
    ) -> tuple[tuple[Overload, ...], Type | None]:
        serving: list[Overload] = []
        result: Type | None = None
        bound: Bindings | None = None
        for overload in overloads:
            if overload.member is not member or len(overload.params) != len(given):
                continue
            names: Bindings = {}
            params = [self._instance(one, names) for one in overload.params]
            trial = dict(self.bindings)
            if not all(
                assignable(wanted, one, trial) for wanted, one in zip(params, given, strict=True)
            ):
                continue
            serving.append(overload)
            found = substituted(self._instance(overload.result, names), trial)
            if result is None:
                result, bound = found, trial
            elif found != result:
                result = DYN
        if bound is not None and len(serving) == 1:
            self.bindings = bound
        elif result is not None and len(serving) > 1:
            result = substituted(result, bound or {}, free=DYN)
        return tuple(serving), result

    def _instance(self, found: Type, names: Bindings) -> Type:
        if found.kind == "param":
            if found.name not in names:
                names[found.name] = self._variable()
            return names[found.name]
        if not found.params:
            return found
        return Type(found.kind, found.name, tuple(self._instance(p, names) for p in found.params))

    def _list(self, node: ListNode) -> tuple[Node, Type]:
        elements = tuple(map(self.visit, node.elements))
        joined: Type | None = None
        for index, element in enumerate(elements):
            found = self._type(element)
            if index in node.optional:
                found = self._unwrapped(element, found)
            joined = self._join(joined, found, element.position)
        changed = ListNode(node.position, elements, node.optional)
        return changed, list_of(joined or self._variable())

    def _join(self, joined: Type | None, found: Type, position: int) -> Type:
        more = self._joined(joined, found)
        if more is not None:
            return more
        assert joined is not None
        # Kubernetes wants the elements of a literal to be of one type.
        self._report(position, f"expected type '{joined}' but found '{found}'")
        return joined

    def _unwrapped(self, node: Node, found: Type) -> Type:
        if found.kind == "optional":
            return found.params[0]
        if found.kind in {"dyn", "error"}:
            return DYN
        return self._report(
            node.position, f"expected type 'optional_type({found})' but found '{found}'"
        )

    def _map(self, node: MapNode) -> tuple[Node, Type]:
        entries: list[Entry] = []
        key_type: Type | None = None
        value_type: Type | None = None
        for entry in node.entries:
            key, value = self.visit(entry.key), self.visit(entry.value)
            key_type = self._join(key_type, self._type(key), key.position)
            found = self._type(value)
            if entry.optional:
                found = self._unwrapped(value, found)
            value_type = self._join(value_type, found, value.position)
            entries.append(Entry(entry.position, key, value, entry.optional))
        found = map_of(key_type or self._variable(), value_type or self._variable())
        return MapNode(node.position, tuple(entries)), found

    def _struct(self, node: Struct) -> tuple[Node, Type]:
        found = self._messages.get(node.name)
        values = [self.visit(entry.value) for entry in node.entries]
        entries = tuple(
            Entry(entry.position, entry.key, value, entry.optional)
            for entry, value in zip(node.entries, values, strict=True)
        )
        changed = Struct(node.position, node.name, entries)
        if found is None:
            return changed, self._undeclared(node.position, node.name)
        fields = found.fields
        for entry in entries if fields is not None else ():
            assert fields is not None
            wanted = fields.get(entry.key)
            if wanted is None:
                self._report(entry.position, f"undefined field '{entry.key}'")
                continue
            given = self._type(entry.value)
            if entry.optional:
                given = self._unwrapped(entry.value, given)
            if not self._fits(wanted, given):
                self._report(
                    entry.position,
                    f"expected type of field '{entry.key}' is '{wanted}' but provided type is "
                    f"'{given}'",
                )
        return changed, found

    def _fold(self, node: Fold) -> tuple[Node, Type]:
        over = self.visit(node.range)
        names = self._iterated(node, over)
        outer = {name: self._scope.get(name) for name in names}
        self._scope.update(names)
        condition = self.visit(node.condition) if node.condition is not None else None
        result = self.visit(node.result) if node.result is not None else None
        for name, found in outer.items():
            if found is None:
                del self._scope[name]
            else:
                self._scope[name] = found
        changed = Fold(node.position, node.macro, over, node.names, condition, result)
        return changed, self._folded(changed, names)

    def _iterated(self, node: Fold, over: Node) -> dict[str, Type]:
        found = resolved(self._type(over), self.bindings)
        if node.macro in {"optMap", "optFlatMap"}:
            if found.kind == "optional":
                return {node.names[0]: found.params[0]}
            if found.kind not in {"dyn", "error"}:
                self._report(node.position, _no_match("hasValue", over, [found]))
            return {node.names[0]: DYN}
        first, second = DYN, DYN
        if found.kind == "list":
            first, second = INT, found.params[0]
        elif found.kind == "map":
            first, second = found.params
        elif found.kind == "param":
            self.bindings[found.name] = DYN
        elif found.kind not in {"dyn", "error"}:
            self._report(
                over.position,
                f"expression of type '{found}' cannot be range of a comprehension (must be list, "
                "map, or dynamic)",
            )
            first = second = ERROR
        if len(node.names) == 2:
            return {node.names[0]: first, node.names[1]: second}
        return {node.names[0]: second if found.kind == "list" else first}

    def _folded(self, node: Fold, names: dict[str, Type]) -> Type:
        macro = node.macro
        condition = self._type(node.condition) if node.condition is not None else BOOL
        result = self._type(node.result) if node.result is not None else None
        if condition.kind == "error" or (result is not None and result.kind == "error"):
            return ERROR
        if macro in {"all", "exists"}:
            operator = "_&&_" if macro == "all" else "_||_"
            if not self._fits(BOOL, condition):
                return self._report(node.position, _no_match(operator, None, [BOOL, condition]))
            return BOOL
        element = result if result is not None else names[node.names[-1]]
        made = {
            "exists_one": INT,
            "optMap": optional_of(element),
            "optFlatMap": element,
            "transformMap": map_of(next(iter(names.values())), element),
            "transformMapEntry": element,
        }.get(macro, list_of(element))
        if not self._fits(BOOL, condition):
            return self._report(node.position, _no_match("_?_:_", None, [condition, made, made]))
        return BOOL if macro == "exists_one" else made


def _qualified(node: Node) -> str:
    parts: list[str] = []
    while isinstance(node, Select) and not node.test and not node.optional:
        parts.append(node.field)
        node = node.operand
    if not isinstance(node, Ident):
        return ""
    parts.append(node.name.removeprefix("."))
    return ".".join(reversed(parts))


def _literal_type(value: Any) -> Type:
    return _SIMPLE[kind_of(value)] if not isinstance(value, TypeValue) else type_of(DYN)


def _no_match(function: str, target: Node | None, given: list[Type]) -> str:
    shown = [_formatted(one) for one in given]
    if target is not None:
        receiver, *shown = shown
        applied = f"{receiver}.({', '.join(shown)})"
    else:
        applied = f"({', '.join(shown)})"
    return f"found no matching overload for '{function}' applied to '{applied}'"


def _formatted(found: Type) -> str:
    if found.kind == "param":
        return "dyn" if not found.name.startswith("_") else f"%t{found.name}"
    return str(found)
