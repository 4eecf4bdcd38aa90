"""Evaluating expressions within their budget, without holding up the loop.

Most evaluations take microseconds and run where they are. One that turns out to be long is broken
off and done again in a thread, which is right since evaluations change nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from orchestrator.resources.cel.admission import Variable
from orchestrator.resources.cel.costs import PER_CALL_LIMIT, RULES_BUDGET
from orchestrator.resources.cel.environments import Program
from orchestrator.resources.cel.errors import BudgetExceeded, EvaluationError

PATIENCE: Final = 20_000
"""Units of cost that may be spent in the loop: some milliseconds."""
OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
_Result = TypeVar("_Result")
Threads = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function in a thread."""


class TooLongError(Exception):
    """An evaluation that is too long for the loop."""


class OutOfBudgetError(Exception):
    """All expressions together have cost what they may; the text is upstream's."""

    def __init__(self) -> None:
        super().__init__(OUT_OF_BUDGET)


class Evaluation:
    """One policy's expressions about one request, on one budget.

    Attributes:
        values: Of the variables, by name.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        variables: Sequence[Variable] = (),
        *,
        budget: int = RULES_BUDGET,
        patience: int | None = None,
    ) -> None:
        """Begin.

        Args:
            values: Of the variables, by name.
            variables: Of the policy; each is computed when it is first used.
            budget: Units that all expressions may cost together.
            patience: Units after which to give up with `TooLongError`; None for no limit.
        """
        self.values: dict[str, Any] = dict(values)
        self.values["variables"] = _Variables(self, variables)
        self._left = budget
        self._patience = patience

    def run(self, program: Program) -> Any:
        """Compute a value.

        Raises:
            EvaluationError: There is none.
            OutOfBudgetError: The budget is spent.
            TooLongError: It takes more than patience.
        """
        limit = min(PER_CALL_LIMIT, self._left)
        patience = self._patience
        impatient = patience is not None and patience < limit
        if impatient:
            assert patience is not None
            limit = patience
        values = self.values
        given = [values.get(name) for name in program.environment.variables]
        try:
            value, cost = program.run(given, limit)
        except BudgetExceeded:
            if impatient:
                raise TooLongError from None
            if limit < PER_CALL_LIMIT:
                raise OutOfBudgetError from None
            raise
        self._left -= cost
        if self._patience is not None:
            self._patience -= cost
        return value

    def told(self, program: Program) -> Any:
        """Compute a value; errors name the expression as upstream does.

        Raises:
            EvaluationError: There is none.
            OutOfBudgetError: The budget is spent.
            TooLongError: It takes more than patience.
        """
        try:
            return self.run(program)
        except EvaluationError as error:
            raise EvaluationError(
                f"expression '{program.source}' resulted in error: {error}"
            ) from None


class _Variables(Mapping[str, Any]):
    """``variables``: each is computed once, when it is first used."""

    def __init__(self, evaluation: Evaluation, variables: Sequence[Variable]) -> None:
        self._evaluation = evaluation
        self._programs = {variable.name: variable.program for variable in variables}
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        known = self._known
        if name not in known:
            try:
                known[name] = self._evaluation.run(self._programs[name])
            except EvaluationError as error:
                known[name] = EvaluationError(
                    f'composited variable "{name}" fails to evaluate: {error}'
                )
        found = known[name]
        if isinstance(found, EvaluationError):
            raise found
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._programs

    def __iter__(self) -> Iterator[str]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)


class Evaluator:
    """Runs evaluations in the loop, and long ones in a thread."""

    def __init__(self, threads: Threads = asyncio.to_thread) -> None:
        """Prepare.

        Args:
            threads: Runs a function in a thread; clusters on a virtual clock run it at once.
        """
        self._threads = threads
        # Threads share the interpreter: more of them would only slow the loop down.
        self._room = asyncio.Semaphore(2)

    async def evaluate(self, decide: Callable[[int | None], _Result]) -> _Result:
        """Return what ``decide`` makes of patience: `PATIENCE` in the loop, None in a thread."""
        try:
            return decide(PATIENCE)
        except TooLongError:
            async with self._room:
                result: _Result = await self._threads(lambda: decide(None))
                return result
