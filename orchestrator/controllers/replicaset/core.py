"""What to do about a ReplicaSet: from what was observed to a plan. Pure.

`orchestrator.controllers.replicaset.actor` gathers the observation and applies the plan.
Rules: k8s.io/kubernetes/pkg/controller/replicaset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from orchestrator.controllers._claims import adoption, release
from orchestrator.controllers._templates import pod_from_template, with_name
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.controllers.replicaset.census import Counts
from orchestrator.controllers.replicaset.ranking import rank_for_deletion
from orchestrator.records import dataclass
from orchestrator.resources.conditions import Condition, find_condition, remove_condition
from orchestrator.resources.objects import Object, is_deleting, name_of, spec_of, status_of
from orchestrator.resources.timestamps import format_time

RESOURCE: Final = "replicasets.apps"
CONTROLLERS: Final = "replicationcontrollers"
PODS: Final = "pods"

BURST: Final = 500
"""Pods created or deleted in one plan; upstream's BurstReplicas."""

EVENTS: Final = 25
"""Pods of one plan that get an Event each; of more about one object client-go drops the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a decision about a ReplicaSet looks at; lists are made only when they are needed.

    Attributes:
        counts: Its pods in numbers.
        active: Returns its active pods.
        on_node: Returns, by node, how many active pods of its family are there.
        strays: Pods it controls whose labels no longer match.
        orphans: Matching pods of its namespace without a controller.
        new_names: Returns so many pod names that are free as far as is known.
        failure: What the last attempt to create or delete pods was refused with, as
            (reason, message), or None.
        room: Pods that may be created now.
        resource: Of the object decided about: ReplicationControllers are decided about here too.
    """

    counts: Counts
    active: Callable[[], Sequence[Object]]
    on_node: Callable[[], Mapping[str, int]]
    new_names: Callable[[int], Sequence[str]]
    strays: Sequence[Object] = ()
    orphans: Sequence[Object] = ()
    failure: tuple[str, str] | None = None
    room: int = BURST
    resource: str = RESOURCE


def decide_replica_set(replica_set: Object, observed: Observed, now: float) -> Plan:
    """Return what to do about one ReplicaSet; ``ReplicaSetController`` applies it.

    Args:
        replica_set: As committed.
        observed: Its pods.
        now: Wall seconds.
    """
    plan = Plan()
    counts = observed.counts
    if not is_deleting(replica_set):
        _claim(replica_set, observed, plan)
        missing = spec_of(replica_set).get("replicas", 1) - counts.active
        if plan.update:
            return plan  # the next look counts what was adopted or released
        if missing > 0 and observed.room:
            _create(replica_set, observed.new_names(min(missing, observed.room)), plan)
        elif missing < 0:
            _delete(replica_set, observed, -missing, now, plan)
    status = _status(replica_set, observed, now, tries=bool(plan.create or plan.delete))
    if status != status_of(replica_set):
        plan.update.append(
            Update(observed.resource, replica_set, {**replica_set, "status": status}, "status")
        )
    if counts.next_available is not None:
        plan.look_again(counts.next_available)
    return plan


def _claim(replica_set: Object, observed: Observed, plan: Plan) -> None:
    plan.update += [release(pod, replica_set, PODS) for pod in observed.strays]
    plan.update += [adoption(pod, replica_set, PODS) for pod in observed.orphans]


def _create(replica_set: Object, names: Sequence[str], plan: Plan) -> None:
    """Add pods that share everything but their names and the dictionaries around them."""
    pod = pod_from_template(replica_set, spec_of(replica_set).get("template") or {})
    create = plan.create
    for at, name in enumerate(names):
        event = None
        if at < EVENTS:
            event = Emit(replica_set, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        create.append(Creation(PODS, with_name(pod, name), event))


def _delete(replica_set: Object, observed: Observed, excess: int, now: float, plan: Plan) -> None:
    pods = observed.active()
    if excess < len(pods):
        seconds = spec_of(replica_set).get("minReadySeconds") or 0
        pods = rank_for_deletion(pods, observed.on_node(), seconds, now)
    for at, pod in enumerate(pods[: min(excess, BURST)]):
        event = None
        if at < EVENTS:
            text = f"Deleted pod: {name_of(pod)}"
            event = Emit(replica_set, "Normal", "SuccessfulDelete", text)
        plan.delete.append(Deletion(PODS, pod, event=event))


def _status(replica_set: Object, observed: Observed, now: float, *, tries: bool) -> Object:
    counts = observed.counts
    numbers = {
        "fullyLabeledReplicas": counts.labelled,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.available,
    }
    status: Object = {
        "observedGeneration": replica_set["metadata"].get("generation") or 0,
        "replicas": counts.active,
        **{field: number for field, number in numbers.items() if number},
    }
    if observed.resource == RESOURCE:
        status["terminatingReplicas"] = counts.terminating
    conditions = _conditions(replica_set, observed.failure, now, tries=tries)
    if conditions:
        status["conditions"] = conditions
    return status


def _conditions(
    replica_set: Object, failure: tuple[str, str] | None, now: float, *, tries: bool
) -> list[Condition]:
    present: list[Condition] = status_of(replica_set).get("conditions") or []
    if failure is None and tries:
        return present  # what comes of it is not known yet: a quota may refuse the next pod
    if failure is None:
        return remove_condition(present, "ReplicaFailure")
    if find_condition(replica_set, "ReplicaFailure") is not None:
        return present
    reason, message = failure
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": format_time(now),
    }
    return [*present, condition]
