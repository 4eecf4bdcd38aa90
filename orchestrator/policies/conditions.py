"""``matchConditions`` of webhooks."""

from __future__ import annotations

from orchestrator.access import Authorizer
from orchestrator.policies.compiled import all_hold
from orchestrator.policies.evaluating import Evaluation, OutOfBudgetError
from orchestrator.policies.inputs import values_of
from orchestrator.policies.matching import Reading, namespace_of_request
from orchestrator.resources.cel.admission import ExpressionError, Names, condition
from orchestrator.resources.cel.costs import CONDITIONS_BUDGET
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.errors import forbidden
from orchestrator.resources.objects import Object
from orchestrator.store.admission import Attributes


def conditions_hold(
    conditions: list[Object], attributes: Attributes, store: Reading, access: Authorizer
) -> bool:
    """Tell whether all conditions hold for a request.

    Args:
        conditions: ``matchConditions``.
        attributes: The request.
        store: The cluster's objects.
        access: Answers ``authorizer``.

    Raises:
        StatusError: 403, one could not be evaluated, and none was false.
    """
    namespace = namespace_of_request(attributes, store)
    values = values_of(attributes, attributes, namespace, access)
    evaluation = Evaluation(values, budget=CONDITIONS_BUDGET)
    try:
        programs = [condition(one["expression"], Names()) for one in conditions]
        return all_hold(programs, evaluation)
    except (EvaluationError, ExpressionError, OutOfBudgetError) as error:
        metadata = (attributes.object or attributes.old or {}).get("metadata") or {}
        name = attributes.name or metadata.get("generateName") or ""
        raise forbidden(attributes.kind.resource, name, str(error)) from error
