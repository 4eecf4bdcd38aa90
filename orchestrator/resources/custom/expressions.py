"""Rules written in CEL, ``x-kubernetes-validations``, as this package asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.resources.cel.patience import PATIENCE, TakesTimeError
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object

Rules = Callable[[Object, "Object | None"], "list[FieldError]"]
"""``(obj, old)`` to the complaints of the rules; ``old`` is None for a new object."""


def has_rules(schema: Any) -> bool:
    """Tell whether there are rules in a schema."""
    if isinstance(schema, Mapping):
        if schema.get("x-kubernetes-validations"):
            return True
        return any(map(has_rules, schema.values()))
    return isinstance(schema, list) and any(map(has_rules, schema))


def compile_rules(schema: Mapping[str, Any]) -> Rules | None:
    """Compile the rules of a schema; None where there are none.

    The rules raise `TakesTimeError` where they run out of `PATIENCE`.
    """
    if not has_rules(schema):
        return None
    from orchestrator.resources.cel import rules  # most schemas never need it

    level = rules.compile_rules(schema)
    if level is None:
        return None
    validate = level.validate

    def problems(obj: Object, old: Object | None) -> list[FieldError]:
        patience = PATIENCE.get()
        if patience is None:
            return validate(obj, old).problems
        outcome = validate(obj, old, budget=patience)
        if outcome.remaining <= 0:
            raise TakesTimeError
        return outcome.problems

    return problems


def rule_problems(schema: Mapping[str, Any], path: str, *, evaluable: bool) -> list[FieldError]:
    """Return the complaints about the rules of a schema.

    Args:
        schema: Of whole objects.
        path: Its own.
        evaluable: Nothing else is wrong with it, so that rules can be compiled.
    """
    if not evaluable or not has_rules(schema):
        return []
    from orchestrator.resources.cel.definitions import check_rules

    return check_rules(schema, path)
