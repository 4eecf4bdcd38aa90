"""Pods with volumes through the fast path: the same nodes come into question as in a plain loop."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.classes import PodClasses
from orchestrator.scheduler.core.diagnosis import diagnose
from orchestrator.scheduler.core.placement import Placer
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.volumes import Reservation, VolumeDemand
from tests.scheduler.volumes.storage import (
    EBS,
    HOST,
    ZONE,
    Object,
    World,
    capacity,
    claim,
    csi_node,
    storage,
    storage_class,
    uses,
    volume,
    within,
)

NODES = ["n1", "n2", "n3"]
SPECS: dict[tuple[str, ...], Object] = {}


class Places(World):
    """A cluster whose pods are placed by the fast path."""

    def __init__(self, *objects: Object, seed: int = 1) -> None:
        super().__init__(*objects)
        self.classes = PodClasses(volumes=self._resolve)
        self.placer = Placer(self.cluster, random.Random(seed).random)

    def _resolve(self, pod: Mapping[str, Any]) -> VolumeDemand | None:
        metadata = pod["metadata"]
        return self.book.resolve(
            pod["spec"], metadata["namespace"], metadata["name"], metadata["uid"]
        )

    def class_of(self, name: str, claims: tuple[str, ...]) -> Any:
        spec = {"containers": [{"name": "c"}], "volumes": uses(*claims)}
        metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
        return self.classes.of({"metadata": metadata, "spec": SPECS.setdefault(claims, spec)})

    def feasible(self, pod_class: Any) -> set[str]:
        """Ask every filter about every node."""
        framework = self.placer.framework
        if framework.reject_pod(pod_class, self.cluster) is not None:
            return set()
        return {
            node.name
            for node in self.cluster.by_name.values()
            if framework.reject(pod_class, node, self.cluster) is None
        }

    def schedule(self, name: str, *claims: str) -> Reservation | None:
        """Place a pod, reserve what it needs, and check the choice."""
        pod_class = self.class_of(name, claims)
        feasible = self.feasible(pod_class)
        node = self.placer.find_best(pod_class)
        if node is None:
            assert not feasible
            return None
        assert node.name in feasible
        reservation = self.book.reserve(f"uid-{name}", node.name, node.labels)
        assert not isinstance(reservation, str)
        key = Key("pods", "default", name)
        self.cluster.place(PodState(f"uid-{name}", key, pod_class), node.name)
        return reservation


def places(seed: int) -> Places:
    """Make nodes in two zones, volumes of several kinds, and a limit on one node."""
    chance = random.Random(seed)
    made = Places(
        storage_class("static", "kubernetes.io/no-provisioner"), storage_class("waits"),
        storage("CSIDriver", EBS, spec={"storageCapacity": chance.random() < 0.5}),
        csi_node("n1", {EBS: chance.randint(0, 3)}),
        capacity("x", "waits", "5Gi", selector={"matchLabels": {ZONE: "a"}}),
        seed=seed,
    )  # fmt: skip
    for name, zone in zip(NODES, "aab", strict=True):
        made.node(name, zone=zone)
    for index in range(chance.randint(0, 6)):
        reach: Any = chance.choice(
            [None, within(ZONE, "a"), within(ZONE, "a", "b"), within(HOST, chance.choice(NODES))]
        )
        size = f"{chance.randint(1, 2)}Gi"
        source = {"csi": {"driver": EBS, "volumeHandle": f"h{index}"}}
        made.put(volume(f"free-{index}", size, "static", affinity=reach, source=source))
    for index in range(3):
        reach = chance.choice([None, within(HOST, *chance.sample(NODES, 2)), within(HOST, "n1")])
        where = {ZONE: chance.choice(["a", "b", "a__b"])}
        made.put(volume(f"pv-{index}", labels=where, affinity=reach))
        modes = (chance.choice(["ReadWriteOnce", "ReadWriteOncePod"]),)
        made.put(claim(f"bound-{index}", to=f"pv-{index}", modes=modes))
        made.put(claim(f"static-{index}", f"{chance.randint(1, 2)}Gi", "static"))
        made.put(claim(f"waits-{index}", f"{chance.randint(1, 9)}Gi", "waits"))
    return made


CLAIMS = [f"{kind}-{index}" for kind in ("bound", "static", "waits") for index in range(3)]


@given(
    seed=st.integers(0, 1000),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("schedule"), st.lists(st.sampled_from(CLAIMS), max_size=2)),
            st.tuples(st.just("remove"), st.integers(0, 9)),
            st.tuples(st.just("write"), st.integers(0, 9)),
            st.tuples(st.just("limit"), st.integers(0, 3)),
            st.tuples(st.just("bind"), st.sampled_from(CLAIMS)),
            st.tuples(st.just("rename"), st.tuples(st.sampled_from(NODES), st.sampled_from(NODES))),
        ),
        max_size=14,
    ),
)
@settings(max_examples=120, deadline=None)
def test_the_fast_path_finds_nodes_exactly_where_a_loop_does(
    seed: int, steps: list[tuple[str, Any]]
) -> None:
    """Whatever was reserved, written, bound, given back and placed before."""
    world = places(seed)
    placed: dict[str, Reservation | None] = {}
    for index, (step, value) in enumerate(steps):
        world.book.take_stale()
        if step == "schedule":
            name = f"pod-{index}"
            placed[name] = world.schedule(name, *dict.fromkeys(value))
        elif step == "limit":
            (change,) = world.put(csi_node("n1", {EBS: value}))
            world.cluster.touch(change.nodes)
        elif step == "rename":  # another host name, perhaps that of another node
            world.node(value[0], **{HOST: value[1]}, zone="a")
        elif step == "bind":
            key, made = next(k for k in world.book.claims if k.name == value), f"made-{value}"
            if not world.book.claims[key].volume:
                world.put(volume(made, "1Gi", claim=value, claim_uid=f"uid-{value}"))
                world.put(claim(value, to=made))
        elif placed:
            name = sorted(placed)[value % len(placed)]
            reservation = placed[name]
            if step == "write" and reservation is not None:
                for volume_name, key in reservation.volumes:
                    known = world.book.supply.volumes[volume_name]
                    size = f"{known.capacity // 10**9}"
                    world.put(
                        volume(volume_name, size, "static", claim=key.name,
                               claim_uid=f"uid-{key.name}")
                    )  # fmt: skip
            elif step == "remove":
                del placed[name]
                if reservation is not None:
                    world.book.release(reservation)
                world.displace(name)
                world.book.forget(f"uid-{name}")
    assert not [node for node in world.book.usage.nodes.values() if node.empty]


def test_pods_with_claims_that_wait_fill_the_volumes_one_by_one() -> None:
    """Local volumes of every node, then volumes of a zone, then nothing more."""
    world = Places(storage_class("static", "kubernetes.io/no-provisioner"))
    for name in NODES:
        world.node(name, zone="a")
        world.put(volume(f"local-{name}", "5Gi", "static", affinity=within(HOST, name)))
    world.put(volume("zonal", "6Gi", "static", affinity=within(ZONE, "a")))
    world.put(*(claim(f"c{index}", "5Gi", "static") for index in range(5)))
    given = [world.schedule(f"p{index}", f"c{index}") for index in range(5)]
    names = [reservation and reservation.volumes[0][0] for reservation in given]
    assert set(names[:3]) == {"local-n1", "local-n2", "local-n3"} or "zonal" in names[:3]
    assert sorted(filter(None, names)) == ["local-n1", "local-n2", "local-n3", "zonal"]
    assert names[4] is None
    reservation = given[0]
    assert reservation is not None
    world.displace("p0")
    world.book.release(reservation)
    again = world.schedule("p4", "c4")
    assert again is not None
    assert again.volumes[0][0] == reservation.volumes[0][0]


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        (
            ("gone",),
            '0/3 nodes are available: persistentvolumeclaim "gone" not found.',
        ),
        (
            ("now",),
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
        ),
        (
            ("bound",),
            (
                "0/3 nodes are available: 1 node(s) had no available volume zone, "
                "2 node(s) exceed max volume count."
            ),
        ),
    ],
)
def test_a_pod_that_fits_nowhere_is_told_why(claims: tuple[str, ...], message: str) -> None:
    """In upstream's words; what is wrong with the pod itself is said once for all nodes."""
    world = Places(
        storage_class("now", waits=False), claim("now", storage_class="now"),
        claim("bound", to="pv"), volume("pv", labels={ZONE: "a"}),
        csi_node("n1", {EBS: 0}), csi_node("n2", {EBS: 0}),
    )  # fmt: skip
    for name, zone in zip(NODES, "aab", strict=True):
        world.node(name, zone=zone)
    found = diagnose(world.class_of("p", claims), world.cluster)
    assert found.message.startswith(message + " ")
