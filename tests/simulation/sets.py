"""Users of StatefulSets, DaemonSets and PodDisruptionBudgets, and what must hold of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.node import SimulatedRuntime
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.resources.selectors import label_selector
from orchestrator.store import ObjectEvent, Store
from tests.simulation import manifests
from tests.simulation.invariants import FINISHED, Witness, is_ready

if TYPE_CHECKING:
    from tests.simulation.workload import Client

STATEFUL_SETS = "statefulsets.apps"
DAEMON_SETS = "daemonsets.apps"
BUDGETS = "poddisruptionbudgets.policy"
CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
MOST_STATEFUL_SETS = 2
MOST_DAEMON_SETS = 1
MOST_BUDGETS = 2


class SetUser:
    """Makes, changes and deletes sets, and budgets in front of them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._chance = client.chance
        self.choices = [
            (6, self._create_stateful_set),
            (5, self._scale_stateful_set),
            (6, self._roll_stateful_set),
            (3, self._delete_stateful_set),
            (3, self._create_daemon_set),
            (4, self._roll_daemon_set),
            (2, self._delete_daemon_set),
            (3, self._create_budget),
            (2, self._delete_budget),
            (2, self._delete_claim),
        ]

    def _template(self, name: str) -> Object:
        chance = self._chance
        script = {}
        if chance.random() < 0.4:
            script["start-seconds"] = str(chance.choice([1, 5]))
        if chance.random() < 0.4:
            script["stop-seconds"] = chance.choice(["1", "20", "never"])
        version = f"v{chance.randrange(1000)}"
        return manifests.template(name, version, script, cpu=100, grace=chance.choice([0, 1, 30]))

    def _find(self, resource: str) -> Object | None:
        return self._client.pick(self._client.world.store.list(resource))

    async def _set(self, resource: str, obj: Object, **fields: Any) -> None:
        await self._client.change(
            resource, obj, lambda found: {**found, "spec": {**found["spec"], **fields}}
        )

    # -- StatefulSets

    async def _create_stateful_set(self) -> None:
        client, chance = self._client, self._chance
        if len(client.world.store.list(STATEFUL_SETS)) >= MOST_STATEFUL_SETS:
            return
        name = client.fresh("st")
        rolling: dict[str, Any] = {}
        if chance.random() < 0.3:
            rolling["partition"] = chance.choice([1, 2])
        spec: dict[str, Any] = {
            "replicas": chance.randrange(4),
            "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": self._template(name),
            "podManagementPolicy": chance.choice(["OrderedReady", "Parallel"]),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
            "revisionHistoryLimit": chance.choice([0, 2]),
        }
        if chance.random() < 0.2:
            spec["updateStrategy"] = {"type": "OnDelete"}
        if chance.random() < 0.3:
            spec["ordinals"] = {"start": 1}
        if chance.random() < 0.4:
            request = {"requests": {"storage": "1Gi"}}
            claim = {"accessModes": ["ReadWriteOnce"], "resources": request}
            spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
            policies = ["Retain", "Delete"]
            spec["persistentVolumeClaimRetentionPolicy"] = {
                "whenDeleted": chance.choice(policies),
                "whenScaled": chance.choice(policies),
            }
        made = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}}
        await client.create(STATEFUL_SETS, client.namespace(), {**made, "spec": spec})

    async def _scale_stateful_set(self) -> None:
        target = self._find(STATEFUL_SETS)
        if target is not None:
            await self._set(STATEFUL_SETS, target, replicas=self._chance.randrange(4))

    async def _roll_stateful_set(self) -> None:
        target = self._find(STATEFUL_SETS)
        if target is not None:
            await self._set(
                STATEFUL_SETS, target, template=self._template(target["metadata"]["name"])
            )

    async def _delete_stateful_set(self) -> None:
        target = self._find(STATEFUL_SETS)
        if target is not None:
            policy = self._chance.choice([None, "Background", "Foreground"])
            await self._client.delete(STATEFUL_SETS, target, policy)

    # -- DaemonSets

    async def _create_daemon_set(self) -> None:
        client, chance = self._client, self._chance
        if len(client.world.store.list(DAEMON_SETS)) >= MOST_DAEMON_SETS:
            return
        name = client.fresh("ds")
        rolling = chance.choice([{}, {"maxUnavailable": 2}, {"maxSurge": 1, "maxUnavailable": 0}])
        spec = {
            "selector": {"matchLabels": {"app": name}},
            "template": self._template(name),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        }
        made = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name}}
        await client.create(DAEMON_SETS, client.namespace(), {**made, "spec": spec})

    async def _roll_daemon_set(self) -> None:
        target = self._find(DAEMON_SETS)
        if target is not None:
            await self._set(
                DAEMON_SETS, target, template=self._template(target["metadata"]["name"])
            )

    async def _delete_daemon_set(self) -> None:
        target = self._find(DAEMON_SETS)
        if target is not None:
            policy = self._chance.choice([None, "Background", "Foreground"])
            await self._client.delete(DAEMON_SETS, target, policy)

    # -- budgets

    async def _create_budget(self) -> None:
        client, chance = self._client, self._chance
        target = self._find(chance.choice([STATEFUL_SETS, "deployments.apps"]))
        if target is None or len(client.world.store.list(BUDGETS)) >= MOST_BUDGETS:
            return
        field = chance.choice(["minAvailable", "maxUnavailable"])
        spec = {
            "selector": {"matchLabels": {"app": target["metadata"]["name"]}},
            field: chance.choice([0, 1, "50%"]),
        }
        made = {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": client.fresh("b")},
            "spec": spec,
        }
        await client.create(BUDGETS, target["metadata"]["namespace"], made)

    async def _delete_budget(self) -> None:
        target = self._find(BUDGETS)
        if target is not None:
            await self._client.delete(BUDGETS, target)

    async def _delete_claim(self) -> None:
        target = self._find(CLAIMS)
        if target is not None:
            await self._client.delete(CLAIMS, target)


class SetPromises:
    """One claim has one volume, and never do two live pods have one ordinal of a StatefulSet.

    A pod that was removed by force (its node is gone) may still run where nobody can see it; that
    is upstream's bargain too, and such a pod is left out.
    """

    def __init__(self, witness: Witness, runtime: Callable[[], SimulatedRuntime]) -> None:
        self._witness = witness
        self._runtime = runtime
        self._last: dict[tuple[str, str], Object] = {}

    def see(self, event: ObjectEvent) -> None:
        """Check one event; everything before it is in the witness."""
        if event.key[0] == CLAIMS:
            self._see_claim(event)
        if event.key[0] != "pods":
            return
        owner = _owner(event.object, "StatefulSet")
        if owner is None:
            return
        place = event.key[1], event.key[2]
        if event.type == "DELETED":
            self._last[place] = event.object
        elif event.type == "ADDED" and place in self._last:
            before = self._last.pop(place)
            shown = (before.get("status") or {}).get("containerStatuses") or ()
            if all("terminated" in status["state"] for status in shown):
                records = self._runtime().known(before["metadata"]["uid"])
                alive = [record for record in records if record.exited is None]
                self._witness.require(
                    not alive, f"{event.key} was created while its predecessor still runs"
                )

    def _see_claim(self, event: ObjectEvent) -> None:
        """A binding is one to one, and stays."""
        require = self._witness.require
        volume = event.object["spec"].get("volumeName")
        before = event.previous and event.previous["spec"].get("volumeName")
        require(not before or volume == before, f"{event.key} had {before} and has {volume}")
        if event.type == "DELETED" or not volume or volume == before:
            return
        others = [
            str(key)
            for key, claim in self._witness.objects.items()
            if key[0] == CLAIMS and key != event.key and claim["spec"].get("volumeName") == volume
        ]
        require(not others, f"{event.key} was bound to {volume}, which {others} has")


def _owner(obj: Object, kind: str) -> Object | None:
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller") and reference["kind"] == kind:
            found: Object = reference
            return found
    return None


def claims_of(store: Store, pod: Object) -> list[Object]:
    """Return the claims that a pod uses, as far as they exist."""
    namespace = pod["metadata"]["namespace"]
    names = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    ]
    found = (store.get(CLAIMS, namespace, name) for name in names)
    return [claim for claim in found if claim is not None]


def set_problems(store: Store) -> Iterator[str]:
    """Return what of sets and budgets has not come true, once faults are over."""
    for obj in store.list(STATEFUL_SETS):
        if not is_deleting(obj):
            yield from _stateful(store, obj)
    for obj in store.list(DAEMON_SETS):
        if not is_deleting(obj):
            yield from _daemon(store, obj)
    for obj in store.list(BUDGETS):
        yield from _budget(store, obj)
    claims = {obj["metadata"]["uid"]: obj for obj in store.list(CLAIMS)}
    for obj in store.list(VOLUMES):
        reference = obj["spec"].get("claimRef") or {}
        claim = claims.get(reference.get("uid"))
        if claim is None or claim["spec"].get("volumeName") != obj["metadata"]["name"]:
            yield f"volume {obj['metadata']['name']}: {obj.get('status')}, and nobody has it"
    for pod in store.list("pods"):
        for obj in claims_of(store, pod):
            phase = (obj.get("status") or {}).get("phase")
            if phase != "Bound":
                name = obj["metadata"]["name"]
                yield f"claim {name}: {phase}, and {pod['metadata']['name']} waits"


def _stateful(store: Store, obj: Object) -> Iterator[str]:
    name, spec, status = obj["metadata"]["name"], obj["spec"], obj.get("status") or {}
    wanted = spec["replicas"]
    start = (spec.get("ordinals") or {}).get("start", 0)
    pods = [
        pod
        for pod in store.by_owner(obj["metadata"]["uid"], "pods")
        if (pod.get("status") or {}).get("phase") not in FINISHED
    ]
    names = sorted(pod["metadata"]["name"] for pod in pods)
    due = sorted(f"{name}-{at}" for at in range(start, start + wanted))
    if names != due:
        yield f"statefulset {name}: pods {names}, wanted {due}"
    if status.get("observedGeneration") != obj["metadata"]["generation"]:
        yield f"statefulset {name}: generation {obj['metadata']['generation']} not observed"
    for field in ("replicas", "readyReplicas", "availableReplicas"):
        if status.get(field, 0) != wanted:
            yield f"statefulset {name}: {field} {status.get(field, 0)} of {wanted}"
    strategy = spec["updateStrategy"]
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if strategy["type"] == "RollingUpdate":
        revision = status.get("updateRevision")
        for pod in pods:
            ordinal = int(pod["metadata"]["name"].rpartition("-")[2])
            own = pod["metadata"]["labels"].get("controller-revision-hash")
            if ordinal - start >= partition and own != revision:
                yield f"statefulset {name}: pod {ordinal} is of {own}, not of {revision}"
    limit = spec.get("revisionHistoryLimit", 10)
    live = {pod["metadata"]["labels"].get("controller-revision-hash") for pod in pods}
    live |= {status.get("currentRevision"), status.get("updateRevision")}
    kept = store.by_owner(obj["metadata"]["uid"], "controllerrevisions.apps")
    kept = [revision for revision in kept if revision["metadata"]["name"] not in live]
    if len(kept) > limit:
        yield f"statefulset {name}: {len(kept)} old revisions are kept, limit {limit}"


def _daemon(store: Store, obj: Object) -> Iterator[str]:
    name, status = obj["metadata"]["name"], obj.get("status") or {}
    pods = store.by_owner(obj["metadata"]["uid"], "pods")
    on = sorted(pod["spec"].get("nodeName", "") for pod in pods if is_ready(pod))
    nodes = sorted(node["metadata"]["name"] for node in store.list("nodes"))
    if on != nodes or len(pods) != len(nodes):
        yield f"daemonset {name}: ready on {on} of {nodes}, {len(pods)} pods"
    fields = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "numberAvailable",
        "updatedNumberScheduled",
    )
    for field in fields:
        if status.get(field, 0) != len(nodes):
            yield f"daemonset {name}: {field} {status.get(field, 0)} of {len(nodes)}"
    if status.get("numberMisscheduled"):
        yield f"daemonset {name}: {status['numberMisscheduled']} where they should not be"


def _budget(store: Store, obj: Object) -> Iterator[str]:
    metadata, status = obj["metadata"], obj.get("status") or {}
    selector = label_selector(obj["spec"]["selector"])
    healthy = sum(
        is_ready(pod) and not is_deleting(pod)
        for pod in store.list("pods", metadata["namespace"], labels=selector)
    )
    if status.get("currentHealthy", 0) != healthy:
        told = status.get("currentHealthy", 0)
        yield f"budget {metadata['name']}: says {told} healthy, there are {healthy}"
    if status.get("observedGeneration") != metadata["generation"]:
        yield f"budget {metadata['name']}: generation {metadata['generation']} not observed"
