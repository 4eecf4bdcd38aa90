"""The taints that a node's state calls for, and what tolerates them. Pure.

Rules: k8s.io/kubernetes/pkg/controller/nodelifecycle and
k8s.io/component-helpers/scheduling/corev1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from orchestrator.resources.objects import Object, spec_of, status_of
from orchestrator.resources.timestamps import format_time

Taint = dict[str, Any]

NOT_READY: Final = "node.kubernetes.io/not-ready"
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"

_BY_CONDITION: Final = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
_MANAGED: Final = frozenset(_BY_CONDITION.values()) | {UNSCHEDULABLE}
_READY_TAINTS: Final = {"False": NOT_READY, "Unknown": UNREACHABLE}


def condition_status(node: Object, type_: str) -> str | None:
    """Return the status of a node's condition, None when it has no such condition."""
    for condition in status_of(node).get("conditions") or ():
        if condition["type"] == type_:
            status: str = condition["status"]
            return status
    return None


def plan_taints(node: Object, now: float, *, evict: bool) -> list[Taint]:
    """Return the taints a node should have; the same list when nothing is to change.

    Args:
        node: With the conditions it will have.
        now: Wall seconds; goes into ``timeAdded``.
        evict: Whether a node that is not ready may get the taint that evicts pods. Without it one
            that has it keeps it.
    """
    present: list[Taint] = spec_of(node).get("taints") or []
    wanted = {
        _BY_CONDITION[pair]
        for condition in status_of(node).get("conditions") or ()
        if (pair := (condition["type"], condition["status"])) in _BY_CONDITION
    }
    if spec_of(node).get("unschedulable"):
        wanted.add(UNSCHEDULABLE)
    # A node that has not reported yet keeps the taint it registered with.
    known = condition_status(node, "Ready") is not None
    taints = [
        taint
        for taint in present
        if not (
            taint.get("effect") == "NoSchedule"
            and taint["key"] in _MANAGED
            and taint["key"] not in wanted
            and (known or taint["key"] != NOT_READY)
        )
    ]
    missing = wanted - {t["key"] for t in taints if t.get("effect") == "NoSchedule"}
    taints += [
        {"key": key, "effect": "NoSchedule", "timeAdded": format_time(now)}
        for key in sorted(missing)
    ]
    taints = _with_no_execute(taints, condition_status(node, "Ready"), now, evict=evict)
    return present if taints == present else taints


def _with_no_execute(
    taints: list[Taint], ready: str | None, now: float, *, evict: bool
) -> list[Taint]:
    wanted = _READY_TAINTS.get(ready or "")
    has = {
        taint["key"]
        for taint in taints
        if taint.get("effect") == "NoExecute" and taint["key"] in _READY_TAINTS.values()
    }
    if wanted is not None and not has and not evict:
        return taints
    kept = [
        taint
        for taint in taints
        if not (taint.get("effect") == "NoExecute" and taint["key"] in has - {wanted})
    ]
    if wanted is not None and wanted not in has:
        kept.append({"key": wanted, "effect": "NoExecute", "timeAdded": format_time(now)})
    return kept


def without_eviction(taints: Sequence[Taint]) -> list[Taint]:
    """Return taints without those that evict because a node is not ready."""
    return [
        taint
        for taint in taints
        if not (taint.get("effect") == "NoExecute" and taint["key"] in _READY_TAINTS.values())
    ]


def is_evicting(node: Object) -> bool:
    """Tell whether a node has a taint that evicts because it is not ready."""
    taints: list[Taint] = spec_of(node).get("taints") or []
    return len(without_eviction(taints)) != len(taints)


def no_execute(node: Object) -> list[Taint]:
    """Return the taints that evict pods."""
    return [
        taint for taint in spec_of(node).get("taints") or () if taint.get("effect") == "NoExecute"
    ]


def tolerates(toleration: dict[str, Any], taint: Taint) -> bool:
    """Tell whether a toleration covers a taint."""
    effect = toleration.get("effect")
    if effect and effect != taint.get("effect"):
        return False
    key = toleration.get("key")
    if key and key != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return bool(key) and (toleration.get("value") or "") == (taint.get("value") or "")


def toleration_seconds(
    tolerations: Iterable[dict[str, Any]], taints: Sequence[Taint]
) -> float | None:
    """Return for how long taints are tolerated; infinity for ever, None for a taint that is not."""
    seconds = float("inf")
    found = list(tolerations)
    for taint in taints:
        used = next((toleration for toleration in found if tolerates(toleration, taint)), None)
        if used is None:
            return None
        limit = used.get("tolerationSeconds")
        if limit is not None:
            seconds = min(seconds, max(0.0, float(limit)))
    return seconds
