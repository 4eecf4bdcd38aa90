"""Evaluating the expressions of one policy about one request, within their budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from orchestrator.policies.threads import TooLongError
from orchestrator.resources.cel.admission import Variable
from orchestrator.resources.cel.costs import PER_CALL_LIMIT, RULES_BUDGET
from orchestrator.resources.cel.environments import Program
from orchestrator.resources.cel.errors import BudgetExceeded, EvaluationError

OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


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
