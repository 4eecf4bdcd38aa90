"""Which of the names that a definition asks for it gets, and what its conditions say. Pure.

Source of the rules and words: k8s.io/apiextensions-apiserver pkg/controller.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.resources.conditions import (
    Condition,
    is_condition_true,
    remove_condition,
    set_condition,
)
from orchestrator.resources.custom.approvals import approval_condition
from orchestrator.resources.custom.structural import structural_problems
from orchestrator.resources.objects import Object, spec_of, status_of

Names = dict[str, Any]

_ORDER: Final = ("plural", "singular", "shortNames", "kind", "listKind", "categories")
_CONFLICTS: Final = {
    "plural": "PluralConflict",
    "singular": "SingularConflict",
    "kind": "KindConflict",
    "listKind": "ListKindConflict",
}


def settled_status(crd: Object, others: Iterable[Object], now: str) -> Object:
    """Return the status that a definition should have.

    Names that another definition of the group holds are refused; each of the others is taken at
    once, so that the status is as near to the spec as it can be.

    Args:
        crd: As committed.
        others: The other definitions of its group.
        now: Formatted time.
    """
    status = status_of(crd)
    accepted, conflict = accepted_names(crd, others)
    conditions = status.get("conditions") or []
    if conflict is None:
        conditions = set_condition(
            conditions,
            "NamesAccepted",
            "True",
            now=now,
            reason="NoConflicts",
            message="no conflicts found",
        )
    else:
        reason, message = conflict
        conditions = set_condition(
            conditions, "NamesAccepted", "False", now=now, reason=reason, message=message
        )
    conditions = _established(crd, conditions, now, conflict is None)
    conditions = _approval(crd, conditions, now)
    conditions = _structural(crd, conditions, now)
    if accepted == status.get("acceptedNames") and conditions == status.get("conditions"):
        return status
    return {**status, "acceptedNames": accepted, "conditions": conditions}


def accepted_names(crd: Object, others: Iterable[Object]) -> tuple[Names, tuple[str, str] | None]:
    """Return the names a definition holds from now on, and the last conflict there was."""
    wanted: Names = spec_of(crd)["names"]
    held: Names = status_of(crd).get("acceptedNames") or {}
    resources, kinds = _taken(others)
    result = dict(held)
    conflict: tuple[str, str] | None = None

    def free(name: str, before: str, taken: set[str]) -> bool:
        return name == before or name not in taken

    for field in ("plural", "singular"):
        if free(wanted.get(field) or "", held.get(field) or "", resources):
            result[field] = wanted.get(field) or ""
        else:
            conflict = _CONFLICTS[field], f'"{wanted[field]}" is already in use'
    short = wanted.get("shortNames") or []
    mine = {*(held.get("shortNames") or ()), held.get("plural"), held.get("singular")}
    refused = [f'"{name}" is already in use' for name in short if name in resources - mine]
    if refused:
        message = refused[0] if len(refused) == 1 else f"[{', '.join(refused)}]"
        conflict = "ShortNamesConflict", message
    else:
        result["shortNames"] = short
    for field in ("kind", "listKind"):
        if free(wanted.get(field) or "", held.get(field) or "", kinds):
            result[field] = wanted.get(field) or ""
        else:
            conflict = _CONFLICTS[field], f'"{wanted[field]}" is already in use'
    result["categories"] = wanted.get("categories") or []
    names = {field: result[field] for field in _ORDER if result.get(field)}
    return {"plural": "", "kind": "", **names}, conflict


def _taken(others: Iterable[Object]) -> tuple[set[str], set[str]]:
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        held = status_of(other).get("acceptedNames") or {}
        resources.update(name for name in (held.get("plural"), held.get("singular")) if name)
        resources.update(held.get("shortNames") or ())
        kinds.update(name for name in (held.get("kind"), held.get("listKind")) if name)
    return resources, kinds


def _established(
    crd: Object, conditions: list[Condition], now: str, accepted: bool
) -> list[Condition]:
    if is_condition_true(crd, "Established"):
        return conditions
    if not accepted:
        return set_condition(
            conditions,
            "Established",
            "False",
            now=now,
            reason="NotAccepted",
            message="not all names are accepted",
        )
    # Upstream waits some seconds here until all its servers know the names.
    return set_condition(
        conditions,
        "Established",
        "True",
        now=now,
        reason="InitialNamesAccepted",
        message="the initial names have been accepted",
    )


def _approval(crd: Object, conditions: list[Condition], now: str) -> list[Condition]:
    found = approval_condition(crd)
    type_ = "KubernetesAPIApprovalPolicyConformant"
    if found is None:
        return conditions
    status, reason, message = found
    return set_condition(conditions, type_, status, now=now, reason=reason, message=message)


def _structural(crd: Object, conditions: list[Condition], now: str) -> list[Condition]:
    spec = spec_of(crd)
    problems = []
    if spec.get("preserveUnknownFields"):
        problems.append("spec.preserveUnknownFields: Invalid value: true: must be false")
    for index, version in enumerate(spec.get("versions") or ()):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is not None:
            at = f"spec.versions[{index}].schema.openAPIV3Schema"
            problems += [str(problem) for problem in structural_problems(schema, at)]
    if problems:
        message = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        return set_condition(
            conditions,
            "NonStructuralSchema",
            "True",
            now=now,
            reason="Violations",
            message=message,
        )
    if any(one.get("type") == "NonStructuralSchema" for one in conditions):
        return remove_condition(conditions, "NonStructuralSchema")
    return conditions
