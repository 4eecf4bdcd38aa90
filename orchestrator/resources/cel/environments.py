"""Environments: what an expression may use; and programs: expressions compiled for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from orchestrator.resources.cel.checking import Checked, check
from orchestrator.resources.cel.compiling import Compiled, compile_tree
from orchestrator.resources.cel.costs import PER_CALL_LIMIT
from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import (
    BudgetExceeded,
    CompileError,
    EvaluationError,
    Issue,
    NoSuchOverload,
)
from orchestrator.resources.cel.parsing import RECURSION_LIMIT, parse
from orchestrator.resources.cel.types import Type


@cache
def library() -> Library:
    """Return all functions that Kubernetes offers to expressions."""
    # Put together when the first expression is compiled: most servers never meet one.
    from orchestrator.resources.cel.functions import (
        authorizing,
        formats,
        images,
        lists,
        network,
        operators,
        quantities,
        regexes,
        strings,
    )

    return Library(
        operators.OPERATORS,
        strings.STRINGS,
        lists.LISTS,
        regexes.REGEXES,
        network.NETWORK,
        quantities.QUANTITIES,
        formats.FORMATS,
        images.IMAGES,
        authorizing.AUTHORIZING,
    )


class Environment:
    """Variables with their types, and object types that may be constructed."""

    def __init__(
        self, variables: Mapping[str, Type], messages: Mapping[str, Type] | None = None
    ) -> None:
        """Declare names.

        Args:
            variables: Name to type; programs take their values in this order or by name.
            messages: Types of ``Name{...}``, by name.
        """
        self.variables = dict(variables)
        self.messages = messages or {}

    def compile(self, source: str) -> Program:
        """Parse, check and compile an expression.

        Raises:
            CompileError: It is refused; the text says where and why.
        """
        functions = library().functions
        try:
            checked = check(source, parse(source), self.variables, functions, self.messages)
            compiled = compile_tree(checked, self.variables)
        except RecursionError:
            message = f"expression recursion limit exceeded: {RECURSION_LIMIT}"
            raise CompileError(source, [Issue(0, message)]) from None
        return Program(source, checked, compiled, self)


class Program:
    """A compiled expression. Holds no state: one may serve many evaluations at a time.

    Attributes:
        source: The text.
        result: The type of its value.
        checked: The tree, for estimates and for finding what it refers to.
        environment: What it was compiled for.
    """

    __slots__ = ("_compiled", "_padding", "checked", "environment", "result", "source")

    def __init__(
        self, source: str, checked: Checked, compiled: Compiled, environment: Environment
    ) -> None:
        self.source = source
        self.checked = checked
        self.result = checked.result
        self.environment = environment
        self._compiled = compiled
        self._padding = [None] * (compiled.size - 1 - len(environment.variables))

    def run(self, values: Sequence[Any], budget: int = PER_CALL_LIMIT) -> tuple[Any, int]:
        """Compute the value.

        Args:
            values: Of all variables, in the order of their declaration.
            budget: Units it may cost.

        Returns:
            The value, and what it has cost.

        Raises:
            BudgetExceeded: It would cost more.
            EvaluationError: It has no value.
        """
        frame = [budget - self._compiled.cost, *values, *self._padding]
        if frame[0] < 0:
            raise BudgetExceeded
        try:
            value = self._compiled.run(frame)
        except EvaluationError:
            raise
        except (
            TypeError,
            AttributeError,
            ValueError,
            LookupError,
            ArithmeticError,
        ) as error:
            # Values that are not of their declared types get so far: data that no schema has seen.
            raise NoSuchOverload from error
        except RecursionError:
            raise EvaluationError("expression recursion limit exceeded") from None
        return value, budget - frame[0]

    def evaluate(self, values: Mapping[str, Any], budget: int = PER_CALL_LIMIT) -> Any:
        """Compute the value from variables by name; those not given are null.

        Raises:
            EvaluationError: It has no value, or it would cost more than the budget.
        """
        return self.run([values.get(name) for name in self.environment.variables], budget)[0]
