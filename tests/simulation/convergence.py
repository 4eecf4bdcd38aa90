"""What must have come true some time after the faults have ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.node.runtime import ContainerRecord
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.resources.selectors import set_selector
from orchestrator.store import Store
from tests.simulation.batch import batch_problems, is_kept
from tests.simulation.invariants import FINISHED, is_ready
from tests.simulation.leftovers import leftovers_of
from tests.simulation.sets import set_problems

if TYPE_CHECKING:
    from tests.simulation.world import World


def problems_of(world: World) -> list[str]:
    """Return what is not yet as it should be; nothing when the cluster has converged."""
    store = world.store
    found = [
        *_deployments(store),
        *_replica_sets(store),
        *_pods(store),
        *_endpoints(store),
        *batch_problems(store),
        *set_problems(store),
        *_owners(store),
        *_deletions(store),
        *_nodes(store),
        *_containers(store, list(world.runtime._records)),
    ]
    return found or leftovers_of(world)


def _deployments(store: Store) -> Iterator[str]:
    for obj in store.list("deployments.apps"):
        name, spec, status = _place(obj), obj["spec"], obj.get("status") or {}
        if is_deleting(obj):
            continue
        if status.get("observedGeneration") != obj["metadata"]["generation"]:
            yield f"deployment {name}: generation {obj['metadata']['generation']} not observed"
        wanted = spec["replicas"]
        for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
            if status.get(field, 0) != wanted:
                yield f"deployment {name}: {field} {status.get(field, 0)} of {wanted}"
        sets = store.by_owner(obj["metadata"]["uid"], "replicasets.apps")
        sizes = [rs["spec"]["replicas"] for rs in sets]
        if sorted(sizes)[-1:] != [wanted] or sum(sizes) != wanted:
            yield f"deployment {name}: ReplicaSets of {sizes}, wanted {wanted}"
        limit = spec.get("revisionHistoryLimit", 10)
        if len([size for size in sizes if not size]) > limit + 1:
            yield f"deployment {name}: {len(sizes)} ReplicaSets, history limit {limit}"


def _replica_sets(store: Store) -> Iterator[str]:
    for obj in store.list("replicasets.apps"):
        name, status = _place(obj), obj.get("status") or {}
        pods = [
            pod
            for pod in store.by_owner(obj["metadata"]["uid"], "pods")
            if not is_deleting(pod) and _phase(pod) not in FINISHED
        ]
        wanted = obj["spec"]["replicas"]
        if len(pods) != wanted or status.get("replicas", 0) != len(pods):
            told = status.get("replicas", 0)
            yield f"replicaset {name}: {len(pods)} pods, status says {told}, wanted {wanted}"
        ready = sum(map(is_ready, pods))
        if status.get("readyReplicas", 0) != ready:
            yield f"replicaset {name}: {ready} ready, status {status.get('readyReplicas', 0)}"


def _pods(store: Store) -> Iterator[str]:
    addresses: dict[str, str] = {}
    for pod in store.list("pods"):
        name, node, phase = _place(pod), pod["spec"].get("nodeName"), _phase(pod)
        if is_deleting(pod):
            if not is_kept(store, pod):
                yield f"pod {name}: still going away"
        elif not node:
            yield f"pod {name}: has no node"
        elif phase in FINISHED:
            continue
        elif phase != "Running":
            yield f"pod {name}: {phase} on {node}"
        elif (address := pod["status"].get("podIP", "")) in addresses or not address:
            yield f"pod {name}: address {address!r} is that of {addresses.get(address)}"
        else:
            addresses[address] = name


def _endpoints(store: Store) -> Iterator[str]:
    for service in store.list("services"):
        if not service["spec"].get("selector"):
            continue
        name, space = service["metadata"]["name"], service["metadata"]["namespace"]
        selector = set_selector(service["spec"]["selector"])
        wanted = sorted(
            pod["status"]["podIP"]
            for pod in store.list("pods", space, labels=selector)
            if is_ready(pod) and _phase(pod) not in FINISHED and not is_deleting(pod)
        )
        slices = store.by_owner(service["metadata"]["uid"], "endpointslices.discovery.k8s.io")
        told = sorted(
            endpoint["addresses"][0]
            for part in slices
            for endpoint in part.get("endpoints") or ()
            if endpoint["conditions"].get("ready")
        )
        if told != wanted:
            yield f"service {space}/{name}: slices say {told}, ready are {wanted}"
        endpoints = store.get("endpoints", space, name) or {}
        old = sorted(
            address["ip"]
            for subset in endpoints.get("subsets") or ()
            for address in subset.get("addresses") or ()
        )
        if old != wanted:
            yield f"service {space}/{name}: Endpoints say {old}, ready are {wanted}"
    services = {_place(obj) for obj in store.list("services")}
    for endpoints in store.list("endpoints"):
        if _place(endpoints) not in services:
            yield f"endpoints {_place(endpoints)}: its service is gone"


def _owners(store: Store) -> Iterator[str]:
    held = store._projection.objects
    uids = {obj["metadata"]["uid"] for obj in held.values()}
    for key, obj in held.items():
        owners = obj["metadata"].get("ownerReferences") or ()
        lost = [owner["name"] for owner in owners if owner["uid"] not in uids]
        if lost and not obj["metadata"].get("finalizers"):
            yield f"{'/'.join(key)}: its owners {lost} are gone"


def _deletions(store: Store) -> Iterator[str]:
    for key, obj in store._projection.objects.items():
        if is_deleting(obj) and key[0] != "pods":
            yield f"{'/'.join(key)}: still going away, {obj['metadata'].get('finalizers')}"


def _nodes(store: Store) -> Iterator[str]:
    for node in store.list("nodes"):
        ready = any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in node["status"]["conditions"]
        )
        if not ready or node["spec"].get("taints"):
            yield f"node {_place(node)}: {ready=}, taints {node['spec'].get('taints')}"


def _containers(store: Store, records: list[ContainerRecord]) -> Iterator[str]:
    """Compare what runs with what should run."""
    live = [record for record in records if record.exited is None]
    running: dict[str, list[str]] = {}
    for record in live:
        running.setdefault(record.started.of.uid, []).append(record.started.of.node)
    pods = {pod["metadata"]["uid"]: pod for pod in store.list("pods")}
    for uid, nodes in running.items():
        pod = pods.pop(uid, None)
        if pod is None:
            yield f"a container of the removed pod {uid} runs on {nodes}"
        elif nodes != [pod["spec"].get("nodeName")] or _phase(pod) in FINISHED:
            place = f"{pod['spec'].get('nodeName')}, {_phase(pod)}"
            yield f"pod {_place(pod)} ({place}): containers run on {nodes}"
    for pod in pods.values():
        if is_ready(pod):
            yield f"pod {_place(pod)}: ready, and nothing of it runs"


def _phase(pod: Object) -> str:
    phase: str = (pod.get("status") or {}).get("phase", "")
    return phase


def _place(obj: Object) -> str:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])
