"""What an update of a pod may change, and the words for what it may not.

Source: ValidatePodUpdate in pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._pod_validation import toleration_problems
from orchestrator.resources.strategies._problems import forbidden, invalid, required, shown
from orchestrator.resources.strategies._sharing import Part, without

_UPDATABLE: Final = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_LISTS: Final = ("containers", "initContainers")


def pod_update_problems(new: Object, old: Object) -> list[FieldError]:
    """Return every complaint about the change of a pod's spec."""
    after: Part = new.get("spec") or {}
    before: Part = old.get("spec") or {}
    if after is before or after == before:
        return []
    found: list[FieldError] = []
    for field in _LISTS:
        if len(after.get(field) or ()) != len(before.get(field) or ()):
            return [forbidden(f"spec.{field}", "pod updates may not add or remove containers")]
        found += [
            required(f"spec.{field}[{index}].image")
            for index, container in enumerate(after.get(field) or ())
            if not container.get("image")
        ]
    found += _deadline(after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    found += _tolerations(after.get("tolerations") or [], before.get("tolerations") or [])
    found += _gates(after.get("schedulingGates") or [], before.get("schedulingGates") or [])
    fixed_after, fixed_before = _fixed(after, before), _fixed(before, before)
    if fixed_after != fixed_before:
        found.append(
            forbidden(
                "spec",
                f"pod updates may not change fields other than {_UPDATABLE}\n"
                f"{_difference(fixed_after, fixed_before)}",
            )
        )
    return found


def _fixed(spec: Part, before: Part) -> Part:
    """Leave out what may change."""
    kept = without(spec, "activeDeadlineSeconds", "tolerations", "schedulingGates")
    if (before.get("terminationGracePeriodSeconds") or 0) < 0:
        kept.pop("terminationGracePeriodSeconds", None)
    if before.get("schedulingGates"):
        kept.pop("nodeSelector", None)
        kept.pop("affinity", None)
    for field in _LISTS:
        if kept.get(field):
            kept[field] = [without(container, "image") for container in kept[field]]
    return kept


def _difference(after: Part, before: Part) -> str:
    lines: list[str] = []
    for field in sorted({*after, *before}):
        old, new = before.get(field), after.get(field)
        if old != new:
            lines += [f"- {field}: {shown(old)}"] if old is not None else []
            lines += [f"+ {field}: {shown(new)}"] if new is not None else []
    return "\n".join(lines) + "\n"


def _deadline(after: int | None, before: int | None) -> list[FieldError]:
    field = "spec.activeDeadlineSeconds"
    if after == before or before is None:
        return []
    if after is None:
        return [invalid(field, None, "must not update from a positive integer to nil value")]
    if after > before:
        return [invalid(field, after, f"must be less than or equal to previous value {before}")]
    return []


def _tolerations(after: list[Part], before: list[Part]) -> list[FieldError]:
    if after == before:
        return []
    present = [without(toleration, "tolerationSeconds") for toleration in after]
    if any(without(toleration, "tolerationSeconds") not in present for toleration in before):
        return [
            forbidden(
                "spec.tolerations",
                "existing toleration can not be modified except its tolerationSeconds",
            )
        ]
    found: list[FieldError] = []
    for index, toleration in enumerate(after):
        found += toleration_problems(toleration, f"spec.tolerations[{index}]")
    return found


def _gates(after: list[dict[str, Any]], before: list[dict[str, Any]]) -> list[FieldError]:
    known = {gate.get("name") for gate in before}
    return [
        forbidden(
            f"spec.schedulingGates[{index}]",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for index, gate in enumerate(after)
        if gate.get("name") not in known
    ]
