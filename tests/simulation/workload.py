"""Racing clients: each draws what to do next from its own generator."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from actors import ActorStopped
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object, is_deleting, with_meta
from orchestrator.store import DeleteOptions
from tests.simulation import manifests
from tests.simulation.batch import BatchUser
from tests.simulation.invariants import HOLD, digest_of
from tests.simulation.sets import SetUser

if TYPE_CHECKING:
    from tests.simulation.world import World

DEPLOYMENTS = "deployments.apps"
MOST_DEPLOYMENTS = 5
MOST_REPLICAS = 5
COUNTER = ("configmaps", "default", "counter")


class Client:
    """One user: what it was told is done is kept, to be compared with what is."""

    def __init__(self, world: World, number: int, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self._name = f"c{number}"
        self._made = 0
        disruptive: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (3, self._delete_pod),
            (2, self._strip_pod),
            (3, self._crash_deployment),
            (4, self._shut_node),
            (4, self._taint_node),
            (1, self._delete_node),
        ]
        self._choices: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (12, self._create_deployment),
            (12, self._scale),
            (14, self._roll_out),
            (4, self._roll_back),
            (5, self._pause),
            (5, self._delete_deployment),
            (5, self._create_service),
            (3, self._delete_service),
            (3, self._change_service),
            (5, self._rehearse),
            (3, self._create_namespace),
            (2, self._delete_namespace),
            (8, self._create_pod),
            (4, self._delete_bare_pod),
            (6, self._create_family),
            (5, self._delete_family),
            (4, self._release),
            (10, self._count),
            *BatchUser(self).choices,
            *SetUser(self).choices,
            *(disruptive if world.profile.disruptions else ()),
        ]

    async def act(self) -> None:
        """Do one thing; a refusal is an answer, silence is to be expected of a broken cluster."""
        weights = [weight for weight, _ in self._choices]
        _, action = self.chance.choices(self._choices, weights)[0]
        try:
            await action()
        except StatusError as error:
            self.world.refusals[error.code] = self.world.refusals.get(error.code, 0) + 1
        except ActorStopped:
            self.world.refusals[0] = self.world.refusals.get(0, 0) + 1

    # -- writing

    def acknowledge(self, resource: str, obj: Object) -> Object:
        """What is acknowledged is committed, seen, and never lost."""
        metadata = obj["metadata"]
        sequence = int(metadata["resourceVersion"])
        witness = self.world.witness
        key = "/".join((resource, metadata.get("namespace", ""), metadata["name"]))
        known = sequence <= witness.sequence
        line = witness.history[sequence - 1] if known else "nothing"
        witness.require(
            line.split()[2:] == [key, digest_of(obj)],
            f"{key} was acknowledged at {sequence}, where the log has {line}",
        )
        self.world.acknowledged += 1
        return obj

    async def create(self, resource: str, namespace: str, obj: Object) -> Object:
        made = await self.world.store.create(obj, resource=resource, namespace=namespace)
        return self.acknowledge(resource, made)

    async def change(
        self, resource: str, obj: Object, change: Callable[[Object], Object | None]
    ) -> None:
        """Change an object as ``kubectl edit`` or as a patch would."""
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        store = self.world.store
        if self.chance.random() < 0.3:
            wanted = change(obj)
            if wanted is None:
                return
            await asyncio.sleep(self.chance.random() * 0.5)
            made = await store.update(wanted, resource=resource, namespace=namespace, name=name)
        else:
            made = await store.modify(resource, namespace, name, change)
        self.acknowledge(resource, made)

    async def delete(self, resource: str, obj: Object, policy: str | None = None) -> None:
        metadata = obj["metadata"]
        options = DeleteOptions(propagation_policy=policy, uid=metadata["uid"])
        gone = await self.world.store.delete(
            resource, metadata.get("namespace", ""), metadata["name"], options=options
        )
        self.acknowledge(resource, gone)

    # -- choosing

    def pick(self, found: list[Object]) -> Object | None:
        living = [obj for obj in found if not is_deleting(obj)]
        return self.chance.choice(living) if living else None

    def fresh(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._name}-{self._made}"

    def namespace(self) -> str:
        if self.chance.random() < 0.6:
            return "default"
        found = self.pick(
            [
                namespace
                for namespace in self.world.store.list("namespaces")
                if namespace["metadata"]["name"].startswith("ns-")
            ]
        )
        return found["metadata"]["name"] if found else "default"

    def deployment(self) -> Object | None:
        return self.pick(self.world.store.list(DEPLOYMENTS))

    # -- Deployments

    def template(self, name: str, script: dict[str, str] | None = None) -> Object:
        chance = self.chance
        if script is None:
            script = {}
            if chance.random() < 0.5:
                script["start-seconds"] = str(chance.choice([1, 3, 20]))
            if chance.random() < 0.3:
                script["stop-seconds"] = chance.choice(["1", "20", "never"])
        return manifests.template(
            name,
            f"v{chance.randrange(1000)}",
            script,
            cpu=chance.choice([100, 200, 300]),
            grace=chance.choice([0, 1, 10, 30]),
        )

    def _strategy(self) -> Object:
        chance = self.chance
        if chance.random() < 0.2:
            return {"type": "Recreate"}
        surge, missing = chance.choice([(1, 0), (0, 1), ("25%", "25%"), (2, 1), ("100%", 0)])
        return {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge, "maxUnavailable": missing},
        }

    async def _create_deployment(self) -> None:
        if len(self.world.store.list(DEPLOYMENTS)) >= MOST_DEPLOYMENTS:
            return
        name = self.fresh("d")
        spec: dict[str, Any] = {"revisionHistoryLimit": self.chance.choice([0, 1, 10])}
        if self.world.profile.disruptions and self.chance.random() < 0.3:
            spec["minReadySeconds"] = self.chance.choice([1, 15])
        replicas = self.chance.randrange(MOST_REPLICAS + 1)
        made = manifests.deployment(name, replicas, self.template(name), self._strategy(), **spec)
        await self.create(DEPLOYMENTS, self.namespace(), made)

    async def _scale(self) -> None:
        target = self.deployment()
        if target is not None:
            replicas = self.chance.randrange(MOST_REPLICAS + 1)
            await self.change(
                DEPLOYMENTS,
                target,
                lambda obj: {**obj, "spec": {**obj["spec"], "replicas": replicas}},
            )

    async def _roll_out(self, script: dict[str, str] | None = None) -> None:
        target = self.deployment()
        if target is not None:
            pods = self.template(target["metadata"]["name"], script)
            await self.change(
                DEPLOYMENTS, target, lambda obj: {**obj, "spec": {**obj["spec"], "template": pods}}
            )

    async def _crash_deployment(self) -> None:
        """Roll out something that does not work."""
        bad = [{"run-seconds": "2", "exit-code": "1"}, {"refuse": "no such image"}]
        await self._roll_out(self.chance.choice(bad))

    async def _roll_back(self) -> None:
        target = self.deployment()
        if target is None:
            return
        sets = self.world.store.by_owner(target["metadata"]["uid"], "replicasets.apps")
        if not sets:
            return
        old = self.chance.choice(sets)["spec"]["template"]
        labels = {
            key: value
            for key, value in old["metadata"]["labels"].items()
            if key != "pod-template-hash"
        }
        pods = {**old, "metadata": {**old["metadata"], "labels": labels}}
        await self.change(
            DEPLOYMENTS, target, lambda obj: {**obj, "spec": {**obj["spec"], "template": pods}}
        )

    async def _pause(self) -> None:
        target = self.deployment()
        if target is not None:
            paused = not target["spec"].get("paused", False)
            await self.change(
                DEPLOYMENTS, target, lambda obj: {**obj, "spec": {**obj["spec"], "paused": paused}}
            )

    async def _delete_deployment(self) -> None:
        target = self.deployment()
        if target is not None:
            policies = [None, "Background", "Foreground", "Foreground", "Orphan"]
            await self.delete(DEPLOYMENTS, target, self.chance.choice(policies))

    # -- Services and namespaces

    async def _create_service(self) -> None:
        target = self.deployment()
        if target is not None:
            metadata = target["metadata"]
            kinds: list[dict[str, str]] = [{}, {"type": "NodePort"}, {"clusterIP": "None"}]
            spec = self.chance.choice(kinds)
            made = manifests.service(self.fresh("s"), metadata["name"], **spec)
            await self.create("services", metadata["namespace"], made)

    async def _delete_service(self) -> None:
        services = self.world.store.list("services")
        target = self.pick([s for s in services if s["metadata"]["name"].startswith("s-")])
        if target is not None:
            await self.delete("services", target)

    async def _change_service(self) -> None:
        """Point a Service at another Deployment, or open it to the outside, or close it."""
        services = self.world.store.list("services")
        target = self.pick([s for s in services if s["metadata"]["name"].startswith("s-")])
        other = self.deployment()
        if target is None or other is None:
            return
        change: dict[str, Any] = {"selector": {"app": other["metadata"]["name"]}}
        if target["spec"]["clusterIP"] != "None" and self.chance.random() < 0.5:
            change = {"type": self.chance.choice(["ClusterIP", "NodePort"])}
        await self.change(
            "services", target, lambda obj: {**obj, "spec": {**obj["spec"], **change}}
        )

    async def _rehearse(self) -> None:
        """Ask what would happen: nothing may, not even to addresses and node ports."""
        store, chance = self.world.store, self.chance
        made = manifests.service(self.fresh("never"), "nobody", type="NodePort")
        await store.create(made, resource="services", namespace="default", dry_run=True)
        services = store.list("services", "default")
        target = self.pick([s for s in services if s["metadata"]["name"].startswith("s-")])
        if target is None:
            return
        name = target["metadata"]["name"]
        if chance.random() < 0.5:
            await store.delete("services", "default", name, dry_run=True)
            return
        kind = chance.choice(["ClusterIP", "NodePort", "LoadBalancer"])
        await store.modify(
            "services",
            "default",
            name,
            lambda obj: {**obj, "spec": {**obj["spec"], "type": kind}},
            dry_run=True,
        )

    async def _create_namespace(self) -> None:
        name = self.fresh("ns")
        await self.create(
            "namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        )

    async def _delete_namespace(self) -> None:
        spaces = self.world.store.list("namespaces")
        target = self.pick([ns for ns in spaces if ns["metadata"]["name"].startswith("ns-")])
        if target is not None:
            await self.delete("namespaces", target)

    # -- pods

    async def _create_pod(self) -> None:
        chance = self.chance
        script = {"run-seconds": str(chance.choice([1, 5, 60, 400]))}
        script["exit-code"] = chance.choice(["0", "0", "1"])
        policy = chance.choice(["Never", "OnFailure"])
        cpu, kind = chance.choice([100, 400]), chance.choice(["plain", "shy", "shy", "spread"])
        if self.world.profile.disruptions and chance.random() < 0.3:
            cpu, kind = 3700, "urgent"  # there is no such room unless others leave
        made = manifests.pod(self.fresh("p"), policy, script, cpu=cpu, kind=kind)
        await self.create("pods", self.namespace(), made)

    async def _delete_bare_pod(self) -> None:
        pods = self.world.store.list("pods")
        target = self.pick([pod for pod in pods if pod["metadata"]["name"].startswith("p-")])
        if target is not None:
            await self.delete("pods", target)

    async def _delete_pod(self) -> None:
        target = self.pick(self.world.store.list("pods"))
        if target is not None:
            await self.delete("pods", target)

    async def _strip_pod(self) -> None:
        """Take a pod out of its ReplicaSet, as one does to look at it in peace."""
        pods = [
            pod
            for pod in self.world.store.list("pods")
            if pod["metadata"].get("ownerReferences") and pod["metadata"].get("labels")
        ]
        target = self.pick(pods)
        if target is not None:
            await self.change(
                "pods", target, lambda obj: with_meta(obj, labels={"simulation": "stripped"})
            )

    # -- nodes

    async def _shut_node(self) -> None:
        target = self.pick(self.world.store.list("nodes"))
        if target is not None:
            shut = not target["spec"].get("unschedulable", False)
            await self.change(
                "nodes", target, lambda obj: {**obj, "spec": {**obj["spec"], "unschedulable": shut}}
            )

    async def _taint_node(self) -> None:
        target = self.pick(self.world.store.list("nodes"))
        if target is None:
            return
        effect = self.chance.choice(["NoSchedule", "NoExecute", "PreferNoSchedule"])
        taint = {"key": "simulation", "effect": effect}

        def change(obj: Object) -> Object:
            taints = obj["spec"].get("taints") or []
            kept = [item for item in taints if item["key"] != "simulation"]
            new = kept if len(kept) < len(taints) else [*kept, taint]
            return {**obj, "spec": {**obj["spec"], "taints": new}}

        await self.change("nodes", target, change)

    async def _delete_node(self) -> None:
        """Delete a Node; if its machine lives, it registers again."""
        target = self.pick(self.world.store.list("nodes"))
        if target is not None:
            await self.delete("nodes", target)

    # -- owners and finalizers

    def _family(self) -> list[Object]:
        maps = self.world.store.list("configmaps")
        return [obj for obj in maps if obj["metadata"]["name"].startswith("m-")]

    async def _create_family(self) -> None:
        namespace = self.namespace()
        possible = [
            obj
            for obj in self._family()
            if obj["metadata"]["namespace"] == namespace and not is_deleting(obj)
        ]
        count = min(len(possible), self.chance.choice([0, 1, 1, 2]))
        owners = self.chance.sample(possible, count)
        finalizers = [HOLD] if self.chance.random() < 0.25 else []
        made = manifests.config_map(self.fresh("m"), owners, finalizers)
        await self.create("configmaps", namespace, made)

    async def _delete_family(self) -> None:
        target = self.pick(self._family())
        if target is not None:
            policy = self.chance.choice([None, "Background", "Foreground", "Orphan"])
            await self.delete("configmaps", target, policy)

    async def _release(self) -> None:
        held = [obj for obj in self._family() if HOLD in (obj["metadata"].get("finalizers") or ())]
        if held:
            await self.release(self.chance.choice(held))

    async def release(self, obj: Object) -> None:
        """Clear the workload's finalizer."""
        self.world.witness.released.add(obj["metadata"]["uid"])

        def change(current: Object) -> Object | None:
            finalizers = current["metadata"].get("finalizers") or []
            kept = [name for name in finalizers if name != HOLD]
            return with_meta(current, finalizers=kept or None) if kept != finalizers else None

        metadata = obj["metadata"]
        store = self.world.store
        await store.modify("configmaps", metadata["namespace"], metadata["name"], change)

    # -- a counter: no update may be lost

    async def _count(self) -> None:
        store, world = self.world.store, self.world
        found = store.get(*COUNTER)
        if found is None:
            await self.create(
                "configmaps", "default", manifests.config_map("counter", [], [], value="0")
            )
            return
        value = int(found["data"]["value"])
        wanted = {**found, "data": {"value": str(value + 1)}}
        await asyncio.sleep(self.chance.random() * 0.01)
        world.increments_tried += 1
        try:
            made = await store.update(
                wanted, resource=COUNTER[0], namespace=COUNTER[1], name=COUNTER[2]
            )
        except StatusError as error:
            if error.code == 409:
                world.increments_tried -= 1
            raise
        self.acknowledge("configmaps", made)
        world.increments_done += 1


def counter_of(objects: dict[Key, Object]) -> int:
    """Return what the counter is at."""
    found = objects.get(Key(*COUNTER))
    return int(found["data"]["value"]) if found else 0
