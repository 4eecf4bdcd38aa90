"""Expressions that objects carry: the one place where rules ask whether CEL can compile them.

Kinds call `expression_problems` after they have checked that there is an expression; what the
compiler says of it becomes a complaint about its field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import invalid

Purpose: TypeAlias = Literal[
    "condition",  # a boolean: match conditions, validations
    "message",  # text, without an authorizer
    "audit",  # text or null
    "variable",
    "apply",  # an apply configuration of a mutation
    "patch",  # a list of JSON patches
    "device",  # a device selector of dynamic resource allocation
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an expression can name.

    Attributes:
        params: Whether there is a ``params``.
        variables: Names and expressions of the ``variables`` before it, in order.
    """

    params: bool = False
    variables: tuple[tuple[str, str], ...] = ()


def compile_expression(expression: str, purpose: Purpose, around: Surroundings) -> str:
    """Return what is wrong with an expression in upstream's words, empty when nothing is."""
    # The compiler is loaded with the first expression: most servers never meet one.
    from orchestrator.resources.cel import admission

    names = admission.Names(params=around.params)
    if purpose != "device":
        names = admission.with_variables(around.variables, names)
    try:
        admission.PURPOSES[purpose](expression, names)
    except admission.ExpressionError as error:
        return str(error)
    return ""


def expression_problems(
    field: str, expression: str, purpose: Purpose, around: Surroundings
) -> list[FieldError]:
    """Check that an expression compiles."""
    wrong = compile_expression(expression, purpose, around)
    return [invalid(field, expression, wrong)] if wrong else []
