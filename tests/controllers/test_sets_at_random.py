"""StatefulSets and DaemonSets under random changes and faults, then left in peace.

https://kubernetes.io/docs/concepts/workloads/controllers/
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.daemonset import DaemonSetController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.protection import ProtectionController
from orchestrator.controllers.statefulset import StatefulSetController
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store import Delete, DeleteOptions

STATEFUL, DAEMONS = "statefulsets.apps", "daemonsets.apps"
CLAIMS = "persistentvolumeclaims"
STEPS = 40


def objects(worlds: Any, chance: Random) -> tuple[Object, Object]:
    """Build a StatefulSet and a DaemonSet."""
    retention = {
        field: chance.choice(("Retain", "Delete")) for field in ("whenDeleted", "whenScaled")
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    stateful: Object = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 3,
            "podManagementPolicy": chance.choice(("OrderedReady", "Parallel")),
            "minReadySeconds": chance.choice((0, 0, 3)),
            "persistentVolumeClaimRetentionPolicy": retention,
            "selector": {"matchLabels": {"app": "web"}},
            "template": worlds.template({"app": "web"}),
            "volumeClaimTemplates": [claim],
        },
    }
    limits = chance.choice(({"maxUnavailable": 2}, {"maxUnavailable": 0, "maxSurge": 1}))
    daemons: Object = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {
            "minReadySeconds": chance.choice((0, 0, 3)),
            "selector": {"matchLabels": {"app": "agent"}},
            "template": worlds.template({"app": "agent"}),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": limits},
        },
    }
    return stateful, daemons


class Disturber:
    """Does something at random to a world."""

    def __init__(self, world: Any, chance: Random) -> None:
        self.world = world
        self.chance = chance
        self.nodes: dict[str, None] = {}

    async def act(self) -> None:
        """Do one thing; what it concerns may be gone by then."""
        names = ("scale", "image", "kill", "fail", "restart", "unclaim", "node", "taint")
        try:
            await getattr(self, self.chance.choice(names))()
        except StatusError as error:
            if error.code not in {404, 409}:
                raise

    async def scale(self) -> None:
        await self.world.spec(
            STATEFUL,
            "web",
            replicas=self.chance.randrange(5),
            ordinals={"start": self.chance.randrange(2)},
        )

    async def image(self) -> None:
        version = f"v{self.chance.randrange(3)}"

        def change(obj: Object) -> Object:
            template = obj["spec"]["template"]
            containers = [{**template["spec"]["containers"][0], "image": version}]
            template = {**template, "spec": {**template["spec"], "containers": containers}}
            return {**obj, "spec": {**obj["spec"], "template": template}}

        resource, name = self.chance.choice(((STATEFUL, "web"), (DAEMONS, "agent")))
        await self.world.patch(resource, name, change)

    def pod(self) -> str:
        pods = self.world.store.list("pods")
        name: str = self.chance.choice(pods)["metadata"]["name"] if pods else "none"
        return name

    async def kill(self) -> None:
        grace = self.chance.choice((0, None))
        options = DeleteOptions(grace_period_seconds=grace)
        await self.world.store.write([Delete("pods", "default", self.pod(), options)])

    async def fail(self) -> None:
        phase = self.chance.choice(("Failed", "Succeeded"))
        await self.world.store.modify(
            "pods",
            "default",
            self.pod(),
            lambda pod: {**pod, "status": {**pod["status"], "phase": phase}},
            subresource="status",
        )

    async def restart(self) -> None:
        await self.world.restart(self.chance.choice((StatefulSetController, DaemonSetController)))

    async def unclaim(self) -> None:
        claims = self.world.store.list(CLAIMS)
        if claims:
            name = self.chance.choice(claims)["metadata"]["name"]
            await self.world.store.write([Delete(CLAIMS, "default", name, DeleteOptions())])

    async def node(self) -> None:
        name = f"n{self.chance.randrange(5)}"
        if name in self.nodes:
            del self.nodes[name]
            await self.world.store.write([Delete("nodes", "", name, DeleteOptions())])
            for pod in self.world.store.by_node(name):
                options = DeleteOptions(grace_period_seconds=0)
                gone = Delete("pods", "default", pod["metadata"]["name"], options)
                await self.world.store.write([gone])
        else:
            self.nodes[name] = None
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
            await self.world.create("nodes", node, namespace="")

    async def taint(self) -> None:
        effect = self.chance.choice(("NoSchedule", "NoExecute", ""))
        taints = [{"key": "own", "effect": effect}] if effect else []
        if self.nodes:
            await self.world.patch(
                "nodes",
                self.chance.choice(list(self.nodes)),
                lambda obj: {**obj, "spec": {**(obj.get("spec") or {}), "taints": taints}},
                "",
            )


def has_claims(world: Any, pod: Object) -> bool:
    """Tell whether a pod's claims are there: without them no scheduler lets it run."""
    return all(
        world.store.get(CLAIMS, "default", volume["persistentVolumeClaim"]["claimName"])
        for volume in pod["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    )


def stateful_settled(world: Any) -> bool:
    """Tell whether the StatefulSet is as its spec wants it, to the last number."""
    web = world.get(STATEFUL, "web")
    spec, status = web["spec"], web["status"]
    start, size = (spec.get("ordinals") or {}).get("start") or 0, spec["replicas"]
    image = spec["template"]["spec"]["containers"][0]["image"]
    pods = {pod["metadata"]["name"]: pod for pod in world.pods(app="web")}
    return (
        set(pods) == {f"web-{ordinal}" for ordinal in range(start, start + size)}
        and all(pod["spec"]["containers"][0]["image"] == image for pod in pods.values())
        and all(world.store.get(CLAIMS, "default", f"data-{name}") is not None for name in pods)
        and status.get("observedGeneration") == web["metadata"]["generation"]
        and status["replicas"] == status["availableReplicas"] == size
        and status.get("updatedReplicas", 0) == status.get("currentReplicas", 0) == size
        and status["currentRevision"] == status["updateRevision"]
    )


def daemons_settled(world: Any) -> bool:
    """Tell whether there is one pod of the newest revision on each node that fits."""
    agent = world.get(DAEMONS, "agent")
    image = agent["spec"]["template"]["spec"]["containers"][0]["image"]
    effects = {
        node["metadata"]["name"]: [
            taint["effect"] for taint in (node.get("spec") or {}).get("taints") or ()
        ]
        for node in world.store.list("nodes")
    }
    fit = {name for name, found in effects.items() if not found}
    may = {name for name, found in effects.items() if "NoExecute" not in found}
    pods = world.pods(app="agent")
    places = [pod["spec"].get("nodeName") for pod in pods]
    status = agent["status"]
    return (
        len(places) == len(set(places))
        and fit <= set(places) <= may
        and all(
            pod["spec"]["containers"][0]["image"] == image
            for pod in pods
            if pod["spec"]["nodeName"] in fit
        )
        and status["desiredNumberScheduled"] == status.get("numberAvailable", 0) == len(fit)
        and status.get("updatedNumberScheduled", 0) == len(fit)
        and status["numberMisscheduled"] == len(places) - len(fit)
        and status.get("observedGeneration") == agent["metadata"]["generation"]
    )


@pytest.mark.parametrize("seed", [*range(6), 302, 352])
def test_both_come_to_rest_as_they_should_be(worlds: Any, seed: int) -> None:
    """Whatever was done to them, when nothing more happens all is as their specs say."""

    @virtual
    async def run() -> None:
        chance = Random(seed)
        async with worlds.world() as world:
            stateful, daemons = objects(worlds, chance)
            surge = (daemons["spec"]["updateStrategy"]["rollingUpdate"]).get("maxSurge", 0)

            def check(event: Any) -> None:
                if event.type != "ADDED" or not event.key.name.startswith("agent-"):
                    return
                counted: dict[str, int] = {}
                for pod in world.pods(app="agent"):
                    ended = (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
                    if not ended and "deletionTimestamp" not in pod["metadata"]:
                        node = worlds.World.pick_node(world, pod)
                        counted[node] = counted.get(node, 0) + 1
                assert max(counted.values(), default=0) <= 1 + surge

            watching = worlds.Watching(world.store, ["pods"], check)
            world.start(
                StatefulSetController, DaemonSetController, GarbageCollector, ProtectionController
            )
            world.works = lambda pod: has_claims(world, pod)
            disturber = Disturber(world, chance)
            await disturber.node()
            await world.create(STATEFUL, stateful)
            await world.create(DAEMONS, daemons)
            for _ in range(STEPS):
                await disturber.act()
                await world.settle(chance.choice((0, 0.05, 0.3, 1)))
            # A broken ordered rollout may need the pod gone; here no pod is broken for long.
            await world.until(lambda: stateful_settled(world), 120)
            await world.until(lambda: daemons_settled(world), 120)
            watching.verify()

    run()
