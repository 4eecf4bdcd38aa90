"""The macros: calls that the parser turns into nodes of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from orchestrator.resources.cel.nodes import Fold, Ident, Node, Select

Report: TypeAlias = Callable[[int, str], None]
Expand: TypeAlias = Callable[[int, Node | None, tuple[Node, ...], Report], Node | None]


def _has(at: int, _target: Node | None, arguments: tuple[Node, ...], report: Report) -> Node | None:
    (operand,) = arguments
    if isinstance(operand, Select) and not operand.test and not operand.optional:
        return Select(at, operand.operand, operand.field, test=True)
    report(operand.position, "invalid argument to has() macro")
    return operand


def _names(arguments: tuple[Node, ...], report: Report) -> tuple[str, ...] | None:
    names: list[str] = []
    for argument in arguments:
        if not isinstance(argument, Ident) or argument.name.startswith("."):
            report(argument.position, "argument must be a simple name")
            return None
        if argument.name in {"__result__", "@result"}:
            report(
                argument.position,
                f"iteration variable overwrites accumulator variable: {argument.name}",
            )
            return None
        names.append(argument.name)
    if len(set(names)) < len(names):
        report(arguments[1].position, f"duplicate variable name: {names[0]}")
        return None
    return tuple(names)


def _fold(macro: str, variables: int, filtered: bool, transforms: bool) -> Expand:
    def expand(
        at: int, target: Node | None, arguments: tuple[Node, ...], report: Report
    ) -> Node | None:
        assert target is not None
        names = _names(arguments[:variables], report)
        if names is None:
            return target
        condition = arguments[variables] if filtered else None
        result = arguments[-1] if transforms else None
        return Fold(at, macro, target, names, condition, result)

    return expand


MACROS: dict[tuple[str, int, bool], Expand] = {
    ("has", 1, False): _has,
    ("optMap", 2, True): _fold("optMap", 1, False, True),
    ("optFlatMap", 2, True): _fold("optFlatMap", 1, False, True),
    ("map", 2, True): _fold("map", 1, False, True),
    ("map", 3, True): _fold("map", 1, True, True),
    ("filter", 2, True): _fold("filter", 1, True, False),
    **{
        (name, count + 1, True): _fold(macro, count, True, False)
        for name, macro in (
            ("all", "all"),
            ("exists", "exists"),
            ("exists_one", "exists_one"),
            ("existsOne", "exists_one"),
        )
        for count in (1, 2)
    },
    **{
        (name, 3 + filtered, True): _fold(name, 2, bool(filtered), True)
        for name in ("transformList", "transformMap", "transformMapEntry")
        for filtered in (0, 1)
    },
}
"""By name, number of arguments, and whether it is called on something."""
