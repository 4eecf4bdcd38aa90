"""What actors may still hold when nothing is going on: nothing of what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.cluster.dormant import Dormant
from orchestrator.controllers.controller import Controller
from orchestrator.scheduler.core.requests import request_of
from tests.simulation.invariants import FINISHED

if TYPE_CHECKING:
    from tests.simulation.world import World


def leftovers_of(world: World) -> list[str]:
    """Return what is held for nobody; it would add up over a cluster's life."""
    return [*_store(world), *_scheduler(world), *_nodes(world), *_runtime(world)]


def _actor(world: World, *path: str) -> Any:
    cell: Any = world.cluster.system.guardian
    for name in path:
        cell = cell.rare().children[name]
    return cell.actor


def _store(world: World) -> Iterator[str]:
    followers = len(world.store._followers)
    known = sum(
        name in {"scheduler", "nodes"} or isinstance(cell.actor, Controller | Dormant)
        for name, cell in world.cluster.system.guardian.rare().children.items()
    )
    most = known + len(world.watchers)
    if followers > most:
        yield f"the store has {followers} followers, {most} are known"
    if pending := len(world.store._overlay):
        yield f"the store has {pending} writes pending"


def _scheduler(world: World) -> Iterator[str]:
    scheduler = _actor(world, "scheduler")
    if isinstance(scheduler, Dormant):
        return
    picture = scheduler._known
    if picture.assumed or len(picture.queue) or len(picture.cluster.nominations):
        yield (
            f"the scheduler assumes {len(picture.assumed)}, queues {len(picture.queue)}, "
            f"nominates {len(picture.cluster.nominations)}"
        )
    for name, node in picture.cluster.by_name.items():
        pods = [
            request_of(pod["spec"])
            for pod in world.store.by_node(name)
            if (pod.get("status") or {}).get("phase") not in FINISHED
        ]
        real = len(pods), sum(pod.cpu for pod in pods), sum(pod.memory for pod in pods)
        counted = len(node.pods), node.used_cpu, node.used_memory
        if counted != real:
            yield f"the scheduler counts {counted} on {name}, there are {real}"


def _nodes(world: World) -> Iterator[str]:
    manager = _actor(world, "nodes")
    if len(manager._outbox):
        yield f"the nodes' outbox holds {len(manager._outbox)}"
    for name in world.cluster.nodes.names:
        node = _actor(world, "nodes", name)
        pods = {pod["metadata"]["uid"]: pod for pod in world.store.by_node(name)}
        if node._pods.keys() != pods.keys():
            yield f"{name} has {len(node._pods)} pods, there are {len(pods)}"
        alive = [pod for pod in pods.values() if pod["status"].get("phase") not in FINISHED]
        given = {pod["status"].get("podIP") for pod in alive} - {None, ""}
        if node._around.pool._held.keys() != given:
            odd = sorted(node._around.pool._held.keys() ^ given)
            yield f"{name}: addresses {odd} are held for nobody, or not held"


def _runtime(world: World) -> Iterator[str]:
    uids = {pod["metadata"]["uid"] for pod in world.store.list("pods")}
    for record in world.runtime._records:
        if record.started.of.uid not in uids:
            yield f"the runtime remembers a container of the removed pod {record.started.of.uid}"
    waiting = world.runtime._starting.keys()
    if waiting:
        yield f"the runtime starts {len(waiting)} containers"
