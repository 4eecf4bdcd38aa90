"""What to do about a DaemonSet: from its fleet to a plan. Pure.

`orchestrator.controllers.daemonset.actor` keeps the fleet and applies the plan. Rules:
k8s.io/kubernetes/pkg/controller/daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Final

from orchestrator.controllers._revisions import POD_LABEL, hash_of, surplus
from orchestrator.controllers.daemonset.fleet import Fleet
from orchestrator.controllers.daemonset.placement import PODS, RESOURCE, PodMaker
from orchestrator.controllers.daemonset.standing import Turn
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of, status_of

BURST: Final = 250
"""Pods made, and deleted, in one plan; upstream's BurstReplicas."""

EVENTS: Final = 25
"""Pods of one plan that get an Event each; of more about one object client-go drops the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a decision about a DaemonSet looks at.

    Attributes:
        fleet: How it stands on each node.
        revision: The ControllerRevision of its template.
        old: The other revisions, from the lowest number on.
        collisions: ``status.collisionCount`` as it has to be.
        live: Returns the hashes that its pods carry.
        new_name: Returns a pod name that is free.
        burst: Pods to make in one plan: fewer than `BURST` after a refusal.
    """

    fleet: Fleet
    revision: Object
    old: Sequence[Object]
    collisions: int
    live: Callable[[], Collection[str]]
    new_name: Callable[[], str]
    burst: int = BURST


def decide_daemon_set(daemon_set: Object, observed: Observed, now: float) -> tuple[Plan, list[str]]:
    """Return what to do about one DaemonSet, and the nodes that the pods to be made are for.

    Args:
        daemon_set: As committed.
        observed: Its fleet and revisions.
        now: Wall seconds.
    """
    plan = Plan()
    fleet = observed.fleet
    needing, doomed = _manage(daemon_set, fleet, plan, now)
    strategy = spec_of(daemon_set).get("updateStrategy") or {}
    if not needing and not doomed and strategy.get("type") == "RollingUpdate":
        needing, doomed = _update(strategy.get("rollingUpdate") or {}, fleet)
    nodes = needing[: observed.burst]
    _create(daemon_set, observed, nodes, plan)
    _delete(daemon_set, doomed[:BURST], plan)
    _report(daemon_set, observed, plan)
    _clean_up(daemon_set, observed, plan)
    if fleet.ripening:
        plan.look_again(max(0.0, min(fleet.ripening.values()) - now))
    return plan, nodes


def _manage(
    daemon_set: Object, fleet: Fleet, plan: Plan, now: float
) -> tuple[list[str], list[Object]]:
    """Return the nodes that need a pod, and the pods that do not belong where they are."""
    needing: list[str] = []
    doomed: list[Object] = []
    for node in fleet.work:
        standing = fleet.standings[node]
        if standing.needs:
            needing.append(node)
        for pod in standing.failed:
            wait = fleet.delay(node, now)
            if wait:
                plan.look_again(wait)
                continue
            what = f"Found failed daemon pod {namespace_of(pod)}/{name_of(pod)} on node {node}"
            text = f"{what}, will try to kill it"
            plan.events.append(Emit(daemon_set, "Warning", "FailedDaemonPod", text))
            doomed.append(pod)
        for pod in standing.succeeded:
            what = f"Found succeeded daemon pod {namespace_of(pod)}/{name_of(pod)} on node {node}"
            text = f"{what}, will try to delete it"
            plan.events.append(Emit(daemon_set, "Normal", "SucceededDaemonPod", text))
            doomed.append(pod)
        doomed += standing.excess
    return needing, doomed


def _update(rolling: Object, fleet: Fleet) -> tuple[list[str], list[Object]]:
    """Return what a rolling update does next: nodes for new pods, old pods to delete.

    Old pods that are not available are replaced at once; of the others as many as leave no more
    than ``maxUnavailable`` nodes without a new pod that serves. With surge, new pods come beside
    at most ``maxSurge`` old ones, which go when theirs is available.
    """
    desired = fleet.totals[0]
    surge = resolve(rolling.get("maxSurge"), desired)
    unavailable = resolve(rolling.get("maxUnavailable"), desired)
    if not surge and not unavailable:
        unavailable = 1
    turns = fleet.turns
    room = max(0, (surge or unavailable) - len(turns[Turn.LOST]))
    nodes = [*turns[Turn.BROKEN], *islice(turns[Turn.OLD], room)]
    if surge:
        return nodes, _old_pods(fleet, list(turns[Turn.DONE]))
    return [], _old_pods(fleet, nodes)


def _old_pods(fleet: Fleet, nodes: list[str]) -> list[Object]:
    return [old for node in nodes if (old := fleet.standings[node].old) is not None]


def resolve(value: int | str | None, desired: int) -> int:
    """Return an int-or-percent as a number of nodes, a fraction rounded up."""
    if not value:
        return 0
    if isinstance(value, str):
        return -(-int(value.rstrip("%")) * desired // 100)
    return value


def surges(daemon_set: Object) -> bool:
    """Tell whether a DaemonSet's update makes new pods beside old ones."""
    strategy = spec_of(daemon_set).get("updateStrategy") or {}
    surge = (strategy.get("rollingUpdate") or {}).get("maxSurge")
    return strategy.get("type") == "RollingUpdate" and surge not in {None, 0, "0%"}


def _create(daemon_set: Object, observed: Observed, nodes: list[str], plan: Plan) -> None:
    if not nodes:
        return
    maker = PodMaker(daemon_set, hash_of(observed.revision, POD_LABEL))
    for at, node in enumerate(nodes):
        name = observed.new_name()
        event = None
        if at < EVENTS:
            event = Emit(daemon_set, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        plan.create.append(Creation(PODS, maker.make(name, node), event))


def _delete(daemon_set: Object, pods: list[Object], plan: Plan) -> None:
    for at, pod in enumerate(pods):
        event = None
        if at < EVENTS:
            text = f"Deleted pod: {name_of(pod)}"
            event = Emit(daemon_set, "Normal", "SuccessfulDelete", text)
        plan.delete.append(Deletion(PODS, pod, event=event))


def _report(daemon_set: Object, observed: Observed, plan: Plan) -> None:
    desired, current, misscheduled, ready, available, updated = observed.fleet.totals
    numbers = {
        "observedGeneration": daemon_set["metadata"].get("generation") or 0,
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": desired - available,
        "collisionCount": observed.collisions,
    }
    status: Object = {
        "currentNumberScheduled": current,
        "numberMisscheduled": misscheduled,
        "desiredNumberScheduled": desired,
        "numberReady": ready,
        **{field: number for field, number in numbers.items() if number},
    }
    present = status_of(daemon_set)
    if kept := present.get("conditions"):
        status["conditions"] = kept
    if status != present:
        plan.update.append(Update(RESOURCE, daemon_set, {**daemon_set, "status": status}, "status"))


def _clean_up(daemon_set: Object, observed: Observed, plan: Plan) -> None:
    """Delete old revisions beyond ``revisionHistoryLimit``; those of pods count, but stay."""
    limit = spec_of(daemon_set).get("revisionHistoryLimit")
    if limit is None or len(observed.old) <= limit:
        return
    hashes = observed.live()
    live = {name_of(one) for one in observed.old if hash_of(one, POD_LABEL) in hashes}
    plan.delete += surplus(observed.old, live, max(0, limit - len(live)))
