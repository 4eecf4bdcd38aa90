"""Evicting pods from nodes with NoExecute taints, and removing pods that nobody will finish. Pure.

`orchestrator.controllers.nodes.pods` applies the plans.
Rules: k8s.io/kubernetes/pkg/controller/{tainteviction,podgc}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from orchestrator.controllers._pods import is_terminal
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.nodes.taints import (
    OUT_OF_SERVICE,
    Taint,
    condition_status,
    toleration_seconds,
)
from orchestrator.controllers.plans import Deletion, Emit, Plan, Update
from orchestrator.resources.conditions import find_condition, set_condition
from orchestrator.resources.objects import (
    Object,
    is_deleting,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    with_status,
)
from orchestrator.resources.timestamps import format_time, parse_time

PODS: Final = "pods"


def eviction_time(pod: Object, taints: Sequence[Taint], now: float) -> float | None:
    """Return when (wall seconds) a pod has to leave a node with these taints; None for never.

    It is counted from when the youngest taint was added, or the pod came, whichever is later: the
    answer is the same after a restart.
    """
    if not taints:
        return None
    seconds = toleration_seconds(spec_of(pod).get("tolerations") or (), taints)
    if seconds is None:
        return now
    if seconds == float("inf"):
        return None
    moments = [parse_time(taint["timeAdded"]) for taint in taints if taint.get("timeAdded")]
    scheduled = find_condition(pod, "PodScheduled")
    came = (scheduled or {}).get("lastTransitionTime") or meta(pod).get("creationTimestamp")
    if came:
        moments.append(parse_time(came))
    return max(moments, default=now) + seconds


def decide_eviction(pod: Object, taints: Sequence[Taint], now: float) -> Plan:
    """Return whether a pod leaves its node, now or later; ``TaintEvictionController`` applies it.

    Args:
        pod: Bound to the node.
        taints: The node's NoExecute taints.
        now: Wall seconds.
    """
    plan = Plan()
    if is_deleting(pod):
        return plan
    due = eviction_time(pod, taints, now)
    if due is None:
        return plan
    if due > now:
        plan.look_again(due - now)
        return plan
    text = f"Marking for deletion Pod {namespace_of(pod)}/{name_of(pod)}"
    plan.events.append(Emit(pod, "Normal", "TaintManagerEviction", text))
    conditions = set_condition(
        status_of(pod).get("conditions"),
        "DisruptionTarget",
        "True",
        now=format_time(now),
        reason="DeletionByTaintManager",
        message="Taint manager: deleting due to NoExecute taint",
    )
    marked = with_status(pod, conditions=conditions)
    plan.update.append(Update(PODS, pod, marked, "status", strict=True))
    plan.delete.append(Deletion(PODS, pod))
    return plan


def decide_pod_collection(
    pods: Iterable[Object],
    nodes: Mapping[str, Object],
    missing_since: Mapping[str, float],
    now: float,
    config: ControllerConfig,
) -> Plan:
    """Return which pods to remove because nobody will finish them; ``PodCollector`` applies it.

    Args:
        pods: All of them, or at least those that it could want to remove.
        nodes: Name → node.
        missing_since: Name of a node that is not there → since when that is known.
        now: Wall seconds.
        config: Periods and limits.
    """
    plan = Plan(requeue_after=config.pod_gc_period)
    finished: list[Object] = []
    for pod in pods:
        name = spec_of(pod).get("nodeName")
        if not name:
            if is_deleting(pod):
                _end(pod, plan)  # no node will say that it failed, for which its Job may wait
                plan.delete.append(Deletion(PODS, pod, grace=0))
            elif is_terminal(pod):
                finished.append(pod)
            continue
        node = nodes.get(name)
        if node is None:
            left = missing_since.get(name, now) + config.pod_gc_quarantine - now
            if left > 0:
                plan.look_again(left)
                continue
            _fail(pod, plan, _target("DeletionByPodGC", "PodGC: node no longer exists", now))
            plan.delete.append(Deletion(PODS, pod, grace=0))
        elif is_deleting(pod) and _is_out_of_service(node):
            _fail(pod, plan)
            plan.delete.append(Deletion(PODS, pod, grace=0))
        elif is_terminal(pod) and not is_deleting(pod):
            finished.append(pod)
    excess = len(finished) - config.terminated_pod_threshold
    if excess > 0:
        finished.sort(key=_first_to_go)
        plan.delete += [Deletion(PODS, pod, grace=0) for pod in finished[:excess]]
    return plan


def _end(pod: Object, plan: Plan) -> None:
    """Have a pod that was never on a node be over."""
    if not is_terminal(pod):
        plan.update.append(
            Update(PODS, pod, with_status(pod, phase="Failed"), "status", strict=True)
        )


def _first_to_go(pod: Object) -> tuple[bool, str, str]:
    """Order finished pods: evicted ones, whose node was short of something, then the oldest."""
    evicted = status_of(pod).get("reason") == "Evicted"
    return not evicted, meta(pod).get("creationTimestamp") or "", name_of(pod)


def _target(reason: str, message: str, now: float) -> Object:
    return {"now": format_time(now), "reason": reason, "message": message}


def _fail(pod: Object, plan: Plan, target: Object | None = None) -> None:
    """End a pod that is removed unfinished; where its node is gone, it was a disruption's target.

    Nobody else will change its phase, and a Job counts it by that.
    """
    if is_terminal(pod):
        return
    failed = with_status(pod, phase="Failed")
    if target is not None:
        present = status_of(pod).get("conditions")
        conditions = set_condition(present, "DisruptionTarget", "True", **target)
        failed = with_status(failed, conditions=conditions)
    plan.update.append(Update(PODS, pod, failed, "status", strict=True))


def _is_out_of_service(node: Object) -> bool:
    return condition_status(node, "Ready") != "True" and any(
        taint["key"] == OUT_OF_SERVICE for taint in spec_of(node).get("taints") or ()
    )
