"""Pods with claims through the whole scheduler; the test plays whoever binds and makes volumes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import registry
from orchestrator.scheduler import Scheduler
from orchestrator.scheduler.configuration import parse_configuration
from orchestrator.scheduler.extending import NodeView, PodView, Verdict, Wait, permit_plugin
from orchestrator.scheduler.extending.registry import find_plugins, registry_of
from orchestrator.store import Create, Delete, DeleteOptions, Modify, Store
from tests.scheduler.test_scheduler import Recorded
from tests.scheduler.volumes.storage import (
    EBS,
    HOST,
    Object,
    claim,
    csi_node,
    resource_of,
    storage_class,
    uses,
    volume,
    within,
)

CONFIGURATION = {
    "apiVersion": "kubescheduler.config.k8s.io/v1",
    "kind": "KubeSchedulerConfiguration",
}
BIND = "pv.kubernetes.io/bind-completed"
SELECTED = "volume.kubernetes.io/selected-node"
STATIC = storage_class("static", "kubernetes.io/no-provisioner")
WAITS = storage_class("waits")


def node(name: str, pods: str = "110") -> Object:
    """Make a node that says its name in a label."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {HOST: name}},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": pods}},
    }


def pod(name: str, *claims: str, **spec: Any) -> Object:
    """Make a pod with claims."""
    spec = {"containers": [{"name": "app", "image": "x"}], "volumes": uses(*claims), **spec}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _resource(obj: Object) -> str:
    plain = {"Node": "nodes", "Pod": "pods"}
    return plain.get(obj["kind"]) or resource_of(obj)


class Bench:
    """A store, a scheduler on it, and the words to ask both."""

    def __init__(self, system: ActorSystem, store: Store) -> None:
        self.system = system
        self.store = store
        self.recorded = Recorded()
        self.scheduler: Scheduler

    def start(self, **options: Any) -> None:
        def make() -> Scheduler:
            self.scheduler = Scheduler(self.store, self.recorded, **options)
            return self.scheduler

        self.system.spawn(make, "scheduler")

    async def add(self, *objects: Object) -> None:
        results = await self.store.write(
            [Create(_resource(obj), {**obj, "metadata": _new(obj)}) for obj in objects]
        )
        assert not [result for result in results if isinstance(result, StatusError)]
        for obj in objects:
            if obj["kind"] == "PersistentVolume":
                await self.status("persistentvolumes", obj["metadata"]["name"], **obj["status"])
        await asyncio.sleep(0.1)

    async def change(
        self, resource: str, name: str, change: Callable[[Object], Object], part: str = ""
    ) -> None:
        namespace = "default" if resource in {"pods", "persistentvolumeclaims"} else ""
        (result,) = await self.store.write([Modify(resource, namespace, name, change, part)])
        assert not isinstance(result, StatusError)
        await asyncio.sleep(0.1)

    async def status(self, resource: str, name: str, **parts: Any) -> None:
        await self.change(
            resource,
            name,
            lambda obj: {**obj, "status": {**(obj.get("status") or {}), **parts}},
            "status",
        )

    async def delete(self, resource: str, name: str) -> None:
        namespace = "default" if resource in {"pods", "persistentvolumeclaims"} else ""
        options = DeleteOptions(grace_period_seconds=0)
        (result,) = await self.store.write([Delete(resource, namespace, name, options)])
        assert not isinstance(result, StatusError)
        await asyncio.sleep(0.1)

    async def bind(self, name: str, to: str) -> None:
        """Complete a binding, as the controller of volumes does."""

        def change(obj: Object) -> Object:
            annotations = {**(obj["metadata"].get("annotations") or {}), BIND: "yes"}
            metadata = {**obj["metadata"], "annotations": annotations}
            return {**obj, "metadata": metadata, "spec": {**obj["spec"], "volumeName": to}}

        await self.change("persistentvolumeclaims", name, change)

    async def annotate(self, name: str, **annotations: str | None) -> None:
        """Set (or with None remove) annotations of a claim."""

        def change(obj: Object) -> Object:
            found = {**(obj["metadata"].get("annotations") or {}), **annotations}
            found = {key: value for key, value in found.items() if value is not None}
            return {**obj, "metadata": {**obj["metadata"], "annotations": found}}

        await self.change("persistentvolumeclaims", name, change)

    def get(self, resource: str, name: str) -> Object:
        namespace = "default" if resource in {"pods", "persistentvolumeclaims"} else ""
        found = self.store.get(resource, namespace, name)
        assert found is not None
        return found

    def home(self, name: str) -> str | None:
        found: str | None = self.get("pods", name)["spec"].get("nodeName")
        return found

    def selected(self, name: str) -> str | None:
        found = self.get("persistentvolumeclaims", name)["metadata"].get("annotations") or {}
        value: str | None = found.get(SELECTED)
        return value

    def owner(self, name: str) -> str | None:
        reference = self.get("persistentvolumes", name)["spec"].get("claimRef") or {}
        value: str | None = reference.get("name")
        return value

    def expected(self, name: str) -> str | None:
        """Return the node that a pod was told it is about to get."""
        value: str | None = self.get("pods", name)["status"].get("nominatedNodeName")
        return value

    def condition(self, name: str) -> Object:
        conditions = (self.get("pods", name).get("status") or {}).get("conditions") or ()
        return next((c for c in conditions if c["type"] == "PodScheduled"), {})


def _new(obj: Object) -> Object:
    return {key: value for key, value in obj["metadata"].items() if key != "uid"}


@asynccontextmanager
async def bench(*objects: Object, **options: Any) -> AsyncIterator[Bench]:
    """Run a store with some objects, and a scheduler on it."""
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry())
        made = Bench(system, store)
        made.start(**options)
        await made.add(*objects)
        yield made


@virtual
async def test_a_pod_is_bound_after_its_claim_got_its_volume() -> None:
    """The volume is given away at once; others go on meanwhile; then the pod is bound."""
    local = volume("pv", "5Gi", "static", affinity=within(HOST, "n2"))
    async with bench(node("n1"), node("n2"), STATIC, local) as b:
        await b.add(claim("c", storage_class="static"), pod("db", "c"), pod("web"))
        assert b.home("web")
        assert b.home("db") is None
        volume_now = b.get("persistentvolumes", "pv")
        reference = volume_now["spec"]["claimRef"]
        claim_now = b.get("persistentvolumeclaims", "c")
        assert reference["uid"] == claim_now["metadata"]["uid"]
        assert volume_now["metadata"]["annotations"] == {
            "pv.kubernetes.io/bound-by-controller": "yes"
        }
        await b.bind("c", "pv")
        assert b.home("db") == "n2"
        assert ("db", "Normal", "Scheduled", "Successfully assigned default/db to n2") in (
            b.recorded.events
        )


@virtual
async def test_two_pods_never_get_the_same_volume() -> None:
    """The second one waits until there is another volume."""
    async with bench(node("n1"), STATIC, volume("pv-1", "5Gi", "static")) as b:
        claims = [claim(name, storage_class="static") for name in ("c", "d")]
        await b.add(*claims, pod("one", "c"), pod("two", "d"))
        owner = b.owner("pv-1")
        assert owner in {"c", "d"}
        other = ({"c", "d"} - {owner}).pop()
        second = {"c": "one", "d": "two"}[other]
        assert b.condition(second)["message"].startswith(
            "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."
        )
        await b.add(volume("pv-2", "5Gi", "static"))
        await asyncio.sleep(2)
        assert b.owner("pv-2") == other
        await b.bind(other, "pv-2")
        assert b.home(second) == "n1"


@virtual
async def test_a_volume_is_made_for_the_node_that_was_chosen() -> None:
    """Until then the pod's place on the node is kept."""
    async with bench(node("n1", pods="1"), WAITS, claim("w", storage_class="waits")) as b:
        await b.add(pod("db", "w"))
        assert b.selected("w") == "n1"
        assert b.expected("db") == "n1"
        await b.add(pod("web"))
        assert b.condition("web")["message"].startswith("0/1 nodes are available: 1 Too many pods.")
        await b.add(volume("made", "5Gi", "waits", claim="w", affinity=within(HOST, "n1")))
        await b.bind("w", "made")
        assert b.home("db") == "n1"
        assert b.expected("db") is None


@virtual
async def test_provisioning_that_failed_is_tried_anew() -> None:
    """Whoever makes volumes takes the annotation away; the pod says so, and backs off."""
    async with bench(node("n1"), WAITS, claim("w", storage_class="waits"), pod("db", "w")) as b:
        assert b.selected("w") == "n1"
        await b.annotate("w", **{SELECTED: None})
        message = (
            'running PreBind plugin "VolumeBinding": binding volumes: '
            'provisioning failed for PVC "w"'
        )
        condition = b.condition("db")
        assert (condition["status"], condition["reason"]) == ("False", "SchedulerError")
        assert condition["message"] == message
        assert ("db", "Warning", "FailedScheduling", message) in b.recorded.events
        assert b.home("db") is None
        assert b.expected("db") is None
        await asyncio.sleep(5)
        assert b.selected("w") == "n1"
        await b.add(volume("made", "5Gi", "waits", claim="w"))
        await b.bind("w", "made")
        assert b.home("db") == "n1"


@virtual
async def test_volumes_that_take_too_long_are_given_up() -> None:
    """After ten minutes; the pod's place is free for others, and it is tried again."""
    async with bench(node("n1", pods="1"), WAITS, claim("w", storage_class="waits")) as b:
        await b.add(pod("db", "w"))
        await asyncio.sleep(590)
        assert b.condition("db") == {}
        await asyncio.sleep(11)
        assert b.condition("db")["message"] == (
            'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
        )
        await asyncio.sleep(60)
        await b.add(volume("made", "5Gi", "waits", claim="w"))
        await b.bind("w", "made")
        await asyncio.sleep(60)
        assert b.home("db") == "n1"


@virtual
async def test_a_pod_that_is_deleted_while_it_waits_gives_all_back() -> None:
    """Its place, and a volume that was not written yet; one that was stays its claim's."""
    async with bench(node("n1", pods="1"), WAITS, claim("w", storage_class="waits")) as b:
        await b.add(pod("db", "w"), pod("web"))
        assert b.home("web") is None
        await b.delete("pods", "db")
        await asyncio.sleep(15)
        assert b.home("web") == "n1"


@virtual
async def test_a_pod_waits_for_its_claim_and_for_whoever_binds_it() -> None:
    """Each change of its claim wakes it, and no other pod."""
    async with bench(node("n1"), storage_class("now", waits=False), pod("db", "c")) as b:
        assert b.condition("db")["message"].startswith(
            '0/1 nodes are available: persistentvolumeclaim "c" not found. '
        )
        await b.add(claim("c", storage_class="now"))
        await asyncio.sleep(10)
        assert b.condition("db")["message"].startswith(
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. "
        )
        await b.add(volume("pv", "5Gi", "now"))
        await b.bind("c", "pv")
        await asyncio.sleep(10)
        assert b.home("db") == "n1"


@virtual
async def test_nodes_attach_only_so_many_volumes() -> None:
    """A pod that leaves makes room for one that waits."""
    names = ["a", "b", "c"]
    async with bench(node("n1"), csi_node("n1", {EBS: 2})) as b:
        for name in names:
            await b.add(volume(f"pv-{name}"), claim(name))
            await b.bind(name, f"pv-{name}")
        await b.add(*(pod(f"pod-{name}", name) for name in names))
        homes = [b.home(f"pod-{name}") for name in names]
        assert sorted(home or "" for home in homes) == ["", "n1", "n1"]
        waiting = names[homes.index(None)]
        assert b.condition(f"pod-{waiting}")["message"].startswith(
            "0/1 nodes are available: 1 node(s) exceed max volume count. "
        )
        await b.delete("pods", next(f"pod-{name}" for name in names if name != waiting))
        await asyncio.sleep(10)
        assert b.home(f"pod-{waiting}") == "n1"


@virtual
async def test_a_scheduler_that_starts_anew_goes_on_where_the_claims_are() -> None:
    """What was selected is kept to; what was given to a claim is found again."""
    selected = claim("w", storage_class="waits", annotations={SELECTED: "n2"})
    given = volume("pv", "9Gi", "static", claim="c")
    async with bench(
        node("n1"), node("n2"), WAITS, STATIC, volume("smaller", "5Gi", "static"), given,
        selected, claim("c", storage_class="static"), pod("db", "w", "c"),
    ) as b:  # fmt: skip
        assert b.owner("smaller") is None
        await b.add(volume("made", "5Gi", "waits", claim="w"))
        await b.bind("w", "made")
        assert b.home("db") is None
        await b.bind("c", "pv")
        assert b.home("db") == "n2"


@virtual
async def test_volumes_are_reserved_while_a_pod_waits_for_permits() -> None:
    """Nobody else gets them, and nothing is written; a refusal gives them back."""

    @permit_plugin("Slow")
    def slow(pod: PodView, node: NodeView) -> Verdict | Wait:
        return Wait(seconds=30.0) if pod.name == "slow" and node.name else None

    plugins = find_plugins([slow])
    configuration = parse_configuration(
        {**CONFIGURATION, "profiles": [{"plugins": {"permit": {"enabled": [{"name": "Slow"}]}}}]},
        registry_of(plugins),
    )
    claims = [claim(name, storage_class="static") for name in ("c", "d")]
    async with bench(
        node("n1"), STATIC, volume("pv", "5Gi", "static"), *claims,
        configuration=configuration, plugins=plugins,
    ) as b:  # fmt: skip
        await b.add(pod("slow", "c"), pod("quick", "d"))
        assert b.owner("pv") is None
        assert b.expected("slow") == "n1"
        assert b.condition("quick")["message"].startswith(
            "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."
        )
        await asyncio.sleep(45)
        assert any(event[0] == "slow" and "Slow" in event[3] for event in b.recorded.events)
        assert b.expected("slow") is None
        assert b.owner("pv") == "d"


@virtual
async def test_a_profile_says_how_long_volumes_may_take_and_whether_they_are_waited_for() -> None:
    """By bindTimeoutSeconds; without the plugin its pods are bound as they are."""
    arguments = {"name": "VolumeBinding", "args": {"bindTimeoutSeconds": 30}}
    without = {"multiPoint": {"disabled": [{"name": "VolumeBinding"}, {"name": "VolumeZone"}]}}
    profiles = [
        {"schedulerName": "default-scheduler", "pluginConfig": [arguments]},
        {"schedulerName": "careless", "plugins": without},
    ]
    claims = [claim(name, storage_class="waits") for name in ("v", "w")]
    async with bench(
        node("n1"), WAITS, *claims,
        configuration=parse_configuration({**CONFIGURATION, "profiles": profiles}),
    ) as b:  # fmt: skip
        await b.add(pod("db", "w"), pod("bold", "v", schedulerName="careless"))
        assert b.home("bold") == "n1"
        assert b.selected("v") is None
        await asyncio.sleep(29)
        assert b.condition("db") == {}
        await asyncio.sleep(1)
        assert b.condition("db")["reason"] == "SchedulerError"
