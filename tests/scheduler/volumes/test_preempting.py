"""Preemption for the sake of volumes: who uses what only one may use has to go."""

from __future__ import annotations

import random
from typing import Any

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.classes import PodClasses
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.preemption import Preemptor
from tests.scheduler.volumes.storage import (
    EBS,
    World,
    claim,
    csi_node,
    storage,
    uses,
    volume,
)

ONCE = ("ReadWriteOncePod",)


class Taken(World):
    """Nodes n1 and n2, and pods of priority 1 and 2 on the first of them."""

    def __init__(self, *modes: str) -> None:
        super().__init__(storage("CSIDriver", EBS, spec={}), csi_node("n1", {EBS: 1}))
        self.classes = PodClasses(
            volumes=lambda pod: self.book.resolve(
                pod["spec"], "default", pod["metadata"]["name"], pod["metadata"]["uid"]
            )
        )
        self.node("n1", zone="a")
        for index in range(2):
            self.put(volume(f"pv-{index}"))
            self.put(claim(f"c{index}", to=f"pv-{index}", modes=modes or ("ReadWriteOnce",)))
        self.preemptor = Preemptor(self.cluster, Budgets(), random.Random(1).random)

    def pod(self, name: str, priority: int, *claims: str) -> PodState:
        """Make a pod."""
        metadata = {"name": name, "namespace": "default", "uid": name}
        spec: dict[str, Any] = {"containers": [{"name": "c"}], "volumes": uses(*claims)}
        pod_class = self.classes.of({"metadata": metadata, "spec": spec})
        return PodState(name, Key("pods", "default", name), pod_class, priority=priority)


def test_a_volume_is_detached_for_another_one() -> None:
    """Only the pod whose volume fills the node's limit goes, and all counts stay as they were."""
    world = Taken()
    world.cluster.place(world.pod("plain", 1), "n1")
    world.cluster.place(world.pod("holder", 2, "c0"), "n1")
    me = world.pod("me", 9, "c1")
    for _ in range(2):
        found = world.preemptor.find(me.pod_class, 9)
        assert found is not None
        assert [victim.uid for victim in found.victims] == ["holder"]
    world.cluster.displace("holder")
    assert world.preemptor.find(me.pod_class, 9) is None


def test_a_claim_for_one_pod_is_taken_over_where_it_is_used() -> None:
    """On other nodes nobody can give it up."""
    world = Taken(*ONCE)
    world.node("n2", zone="a")
    me = world.pod("me", 9, "c0")
    world.cluster.place(world.pod("plain", 1), "n1")
    world.cluster.place(world.pod("other", 1), "n2")
    world.cluster.place(world.pod("holder", 2, "c0"), "n1")
    found = world.preemptor.find(me.pod_class, 9)
    assert found is not None
    assert (found.node.name, [victim.uid for victim in found.victims]) == ("n1", ["holder"])
    equal = world.pod("equal", 2, "c0")
    assert world.preemptor.find(equal.pod_class, 2) is None
    assert world.preemptor.explain(equal.pod_class, 2) == (
        "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name "
        "and ReadWriteOncePod access mode."
    )
