"""Whether a node is healthy, and what follows when it is not. Pure.

`orchestrator.controllers.nodes.actor` applies the plans.
Rules: k8s.io/kubernetes/pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.controllers._pods import is_ready
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.nodes.taints import condition_status, plan_taints, without_eviction
from orchestrator.controllers.plans import Emit, Plan, Update
from orchestrator.records import dataclass
from orchestrator.resources.conditions import Condition, find_condition, set_condition
from orchestrator.resources.objects import (
    Object,
    is_deleting,
    name_of,
    spec_of,
    status_of,
    with_status,
)
from orchestrator.resources.timestamps import format_time

RESOURCE: Final = "nodes"
PODS: Final = "pods"
_REPORTED: Final = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of a node beside its object.

    Attributes:
        last_seen: Wall seconds of the last sign of life as far as this controller knows.
        may_evict: Whether the eviction limits allow one more node to be emptied now.
        all_down: No node of the cluster is ready: it is rather this controller that is cut off,
            and nothing is evicted.
    """

    last_seen: float
    may_evict: bool = True
    all_down: bool = False


def decide_node(
    node: Object, pods: Sequence[Object], health: Health, now: float, config: ControllerConfig
) -> Plan:
    """Return what to do about one node; ``NodeLifecycleController`` applies it.

    Args:
        node: As committed.
        pods: Those bound to it; looked at only when it is not ready.
        health: What is known beside.
        now: Wall seconds.
        config: Periods.
    """
    plan = Plan()
    before = condition_status(node, "Ready")
    silence = now - health.last_seen
    grace = (
        config.node_monitor_grace_period if before is not None else config.node_startup_grace_period
    )
    observed = node
    if silence > grace:
        observed = _unknown(node, now)
        if observed is not node:
            plan.update.append(Update(RESOURCE, node, observed, "status", strict=True))
            if before == "True":
                text = f"Node {name_of(node)} status is now: NodeNotReady"
                plan.events.append(Emit(node, "Normal", "NodeNotReady", text))
        plan.look_again(config.node_monitor_period)
    else:
        plan.look_again(grace - silence + 0.001)  # a sign of life until then puts it off
    present = spec_of(node).get("taints") or []
    taints = plan_taints(observed, now, evict=health.may_evict and not health.all_down)
    if health.all_down:
        taints = without_eviction(taints)
    if taints != present:
        spec = {**spec_of(node), "taints": taints}
        if not taints:
            del spec["taints"]
        plan.update.append(Update(RESOURCE, node, {**node, "spec": spec}))
    if condition_status(observed, "Ready") in {"False", "Unknown"}:
        for pod in pods:
            if is_ready(pod) and not is_deleting(pod):
                _mark_not_ready(pod, now, plan)
    return plan


def next_look(silence: float, config: ControllerConfig) -> Plan:
    """Return the plan for a node that is ready and as it should be: to look at it again in time.

    Args:
        silence: Seconds since its last sign of life, within its grace.
        config: Periods.
    """
    return Plan(requeue_after=config.node_monitor_grace_period - silence + 0.001)


def _unknown(node: Object, now: float) -> Object:
    """Return the node with all conditions a kubelet reports unknown."""
    moment = format_time(now)
    conditions: list[Condition] = status_of(node).get("conditions") or []
    for type_ in _REPORTED:
        present = find_condition(node, type_)
        if present is None:
            conditions = set_condition(
                conditions,
                type_,
                "Unknown",
                now=moment,
                reason="NodeStatusNeverUpdated",
                message="Kubelet never posted node status.",
                lastHeartbeatTime=node["metadata"].get("creationTimestamp") or moment,
            )
        elif present["status"] != "Unknown":
            conditions = set_condition(
                conditions,
                type_,
                "Unknown",
                now=moment,
                reason="NodeStatusUnknown",
                message="Kubelet stopped posting node status.",
                lastHeartbeatTime=present.get("lastHeartbeatTime") or moment,
            )
    if conditions == status_of(node).get("conditions"):
        return node
    return with_status(node, conditions=conditions)


def _mark_not_ready(pod: Object, now: float, plan: Plan) -> None:
    conditions = [
        {**condition, "status": "False", "lastTransitionTime": format_time(now)}
        if condition["type"] == "Ready"
        else condition
        for condition in status_of(pod).get("conditions") or ()
    ]
    event = Emit(pod, "Warning", "NodeNotReady", "Node is not ready")
    new = with_status(pod, conditions=conditions)
    plan.update.append(Update(PODS, pod, new, "status", event, strict=True))


def eviction_rate(total: int, not_ready: int, config: ControllerConfig) -> float:
    """Return how many nodes of a zone may be emptied per second; 0 for none.

    Args:
        total: Nodes in the zone.
        not_ready: Of those, not ready. Few of them never make a zone unhealthy.
        config: Rates and limits.
    """
    if (
        not_ready > 2
        and not_ready < total
        and (  # upstream's smallest number
            not_ready / total >= config.unhealthy_zone_threshold
        )
    ):
        if total > config.large_cluster_size:
            return config.secondary_node_eviction_rate
        return 0.0
    return config.node_eviction_rate
