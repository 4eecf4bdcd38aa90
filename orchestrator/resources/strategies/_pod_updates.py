"""What an update of a pod may change, and the words for what it may not.

Source: ValidatePodUpdate in pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    MAX_INT32,
    forbidden,
    in_range,
    invalid,
    required,
)
from orchestrator.resources.strategies._containers import image_space_problems
from orchestrator.resources.strategies._differences import difference
from orchestrator.resources.strategies._placement import toleration_problems
from orchestrator.resources.strategies._pod_annotations import annotation_update_problems
from orchestrator.resources.strategies._sharing import Part, put, without

_UPDATABLE: Final = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_LISTS: Final = ("containers", "initContainers")
_NEEDED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_AFFINITY: Final = "spec.affinity.nodeAffinity"


def annotation_problems(new: Object, old: Object) -> list[FieldError]:
    """Complain about changes of annotations that are fixed."""
    after: Part = new.get("metadata") or {}
    before: Part = old.get("metadata") or {}
    given, held = after.get("annotations"), before.get("annotations")
    if given is held or (not given and not held):
        return []
    return annotation_update_problems(given or {}, held or {}, "metadata.annotations")


def pod_update_problems(new: Object, old: Object) -> list[FieldError]:
    """Return every complaint about the change of a pod: annotations first, then the spec."""
    after: Part = new.get("spec") or {}
    before: Part = old.get("spec") or {}
    found = annotation_problems(new, old)
    if after is before or after == before:
        return found
    for field in _LISTS:
        containers = after.get(field) or ()
        if len(containers) != len(before.get(field) or ()):
            wrong = "pod updates may not add or remove containers"
            return [*found, forbidden(f"spec.{field}", wrong)]
        for index, container in enumerate(containers):
            if not container.get("image"):
                found.append(required(f"spec.{field}[{index}].image"))
            found += image_space_problems(container, f"spec.{field}[{index}]")
    deadlines = _deadline(after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    found += deadlines
    if deadlines and after.get("activeDeadlineSeconds") is not None:
        return found
    found += _tolerations(after.get("tolerations") or [], before.get("tolerations") or [])
    found += _gates(after.get("schedulingGates") or [], before.get("schedulingGates") or [])
    fixed = _restored(after, before)
    if before.get("schedulingGates"):
        found += _node_selector(after.get("nodeSelector") or {}, before.get("nodeSelector") or {})
        found += _node_affinity(_nodes(after), _nodes(before))
        fixed = put(fixed, "nodeSelector", before.get("nodeSelector"))
        fixed = put(fixed, "affinity", _with_nodes(after, before))
    if fixed != before:
        found.append(
            forbidden(
                "spec",
                f"pod updates may not change fields other than {_UPDATABLE}\n"
                f"{difference(before, fixed)}",
            )
        )
    return found


def _restored(spec: Part, before: Part) -> Part:
    """Return a spec with what may change as it was before."""
    for field in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        spec = put(spec, field, before.get(field))
    grace = before.get("terminationGracePeriodSeconds") or 0
    if grace < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        spec = put(spec, "terminationGracePeriodSeconds", grace)
    for field in _LISTS:
        if spec.get(field):
            pairs = zip(spec[field], before[field], strict=True)
            spec = {**spec, field: [{**one, "image": was.get("image")} for one, was in pairs]}
    return spec


def _nodes(spec: Part) -> Part | None:
    affinity: Part = spec.get("affinity") or {}
    return affinity.get("nodeAffinity")


def _with_nodes(after: Part, before: Part) -> Part | None:
    """Return the affinity with the part about nodes as it was before."""
    restored = put(after.get("affinity") or {}, "nodeAffinity", _nodes(before))
    return restored or before.get("affinity")


def _deadline(after: int | None, before: int | None) -> list[FieldError]:
    field = "spec.activeDeadlineSeconds"
    if after is None:
        if before is None:
            return []
        return [invalid(field, None, "must not update from a positive integer to nil value")]
    if not 0 <= after <= MAX_INT32:
        return [invalid(field, after, in_range(0, MAX_INT32))]
    if before is not None and before < after:
        return [invalid(field, after, "must be less than or equal to previous value")]
    return []


def _tolerations(after: list[Part], before: list[Part]) -> list[FieldError]:
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
            f"spec.schedulingGates[{index}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for index, gate in enumerate(after)
        if gate.get("name") not in known
    ]


def _node_selector(after: Part, before: Part) -> list[FieldError]:
    if all(after.get(key) == value for key, value in before.items()):
        return []
    wrong = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    return [invalid("spec.nodeSelector", after, wrong)]


def _node_affinity(after: Part | None, before: Part | None) -> list[FieldError]:
    if before is None or after == before:
        return []
    new = ((after or {}).get(_NEEDED) or {}).get("nodeSelectorTerms") or []
    old = (before.get(_NEEDED) or {}).get("nodeSelectorTerms") or []
    if not old:
        return []
    field = f"{_AFFINITY}.{_NEEDED}.nodeSelectorTerms"
    if len(old) != len(new):
        wrong = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(field, new, wrong)]
    return [
        invalid(f"{field}[{index}]", one, "only additions are allowed (no mutations or deletions)")
        for index, (one, was) in enumerate(zip(new, old, strict=True))
        if not _only_adds(one, was)
    ]


def _only_adds(after: Part, before: Part) -> bool:
    """Tell whether a term has all that it had, so that it selects no node that it did not."""
    fields = ("matchExpressions", "matchFields")
    if not any(before.get(field) for field in fields):
        return not any(after.get(field) for field in fields)
    for field in fields:
        held = before.get(field) or []
        if (after.get(field) or [])[: len(held)] != held:
            return False
    return True
