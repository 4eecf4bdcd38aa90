"""VolumeBinding's verdicts: bound volumes in reach, unbound claims that can be given one."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.scheduler.core.volumes import Depends
from tests.scheduler.volumes.storage import (
    EBS,
    HOST,
    ZONE,
    Object,
    World,
    capacity,
    claim,
    storage,
    storage_class,
    topology,
    uses,
    volume,
    within,
)

FAR = "node(s) didn't match PersistentVolume's node affinity"
NONE_FREE = "node(s) didn't find available persistent volumes to bind"
NO_ROOM = "node(s) did not have enough free storage"
MISSING = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"

WAITS = storage_class("waits")
STATIC = storage_class("static", "kubernetes.io/no-provisioner")
IMMEDIATE = storage_class("now", waits=False)


def rejected(*reasons: str, plugin: str = "VolumeBinding") -> tuple[str, tuple[str, ...], bool]:
    """Make the verdict that no other pod's leaving helps against."""
    return plugin, reasons, False


@pytest.mark.parametrize(
    ("objects", "names", "expected"),
    [
        pytest.param([], [], None, id="no-claims"),
        pytest.param(
            [], ["c"],
            rejected('persistentvolumeclaim "c" not found', plugin="VolumeRestrictions"),
            id="no-such-claim",
        ),
        pytest.param(
            [claim("c", to="pv", phase="Lost")], ["c"],
            rejected('persistentvolumeclaim "c" bound to non-existent persistentvolume "pv"'),
            id="lost",
        ),
        pytest.param(
            [claim("c", to="pv", deletionTimestamp="2024-01-01T00:00:00Z"), volume("pv")], ["c"],
            rejected('persistentvolumeclaim "c" is being deleted'),
            id="deleting",
        ),
        pytest.param([claim("c", to="pv"), volume("pv")], ["c"], None, id="bound"),
        pytest.param(
            [claim("c", to="pv"), volume("pv", affinity=within(ZONE, "a", "b"))], ["c"], None,
            id="bound-in-reach",
        ),
        pytest.param(
            [claim("c", to="pv"), volume("pv", affinity=within(ZONE, "b"))], ["c"],
            rejected(FAR),
            id="bound-out-of-reach",
        ),
        pytest.param(
            [
                claim("c", to="pv"), claim("d", to="pw"),
                volume("pv"), volume("pw", affinity=within(ZONE, "b")),
            ],
            ["c", "d"],
            rejected(FAR),
            id="one-of-two-out-of-reach",
        ),
        pytest.param(
            [claim("c", to="pv")], ["c"],
            rejected('persistentvolume "pv" not found', plugin="VolumeZone"),
            id="volume-is-gone",
        ),
        pytest.param(
            [claim("c", to="pv", bound=False), volume("pv"), WAITS], ["c"], rejected(UNBOUND),
            id="binding-is-not-complete",
        ),
        pytest.param([claim("c", storage_class="now"), IMMEDIATE], ["c"], rejected(UNBOUND),
                     id="immediate"),
        pytest.param([claim("c", storage_class="nowhere")], ["c"], rejected(UNBOUND),
                     id="class-is-not-there"),
        pytest.param([claim("c")], ["c"], rejected(UNBOUND), id="no-class"),
        pytest.param(
            [claim("c", storage_class="waits"), WAITS, claim("d", storage_class="now"), IMMEDIATE],
            ["c", "d"],
            rejected(UNBOUND),
            id="one-waits-one-is-immediate",
        ),
        pytest.param([claim("c", storage_class="waits"), WAITS], ["c"], None, id="provisioned"),
        pytest.param(
            [claim("c", storage_class="static"), STATIC], ["c"], rejected(NONE_FREE),
            id="nothing-to-bind-and-no-provisioner",
        ),
        pytest.param(
            [claim("c", storage_class="static"), STATIC, volume("pv", storage_class="static")],
            ["c"], None,
            id="static",
        ),
        pytest.param(
            [
                claim("c", to="pv"), volume("pv", affinity=within(ZONE, "b")),
                claim("d", storage_class="static"), STATIC,
            ],
            ["c", "d"],
            rejected(FAR, NONE_FREE),
            id="all-reasons",
        ),
    ],
)  # fmt: skip
def test_claims_decide_where_a_pod_fits(
    objects: list[Object], names: list[str], expected: Any
) -> None:
    """On a node in zone a, in upstream's words."""
    world = World(*objects).node("n1", zone="a")
    assert world.why_not("n1", uses(*names)) == expected


def sized(size: str, **parts: Any) -> list[Object]:
    """Make a volume of the static class, and the class."""
    return [STATIC, volume("pv", size, "static", **parts)]


@pytest.mark.parametrize(
    ("objects", "wanted", "fits"),
    [
        pytest.param(sized("5Gi"), {}, True, id="exactly-as-large"),
        pytest.param(sized("4Gi"), {}, False, id="too-small"),
        pytest.param(sized("10Gi"), {"size": None}, True, id="any-size"),
        pytest.param(sized("10Gi", modes=("ReadOnlyMany",)), {}, False, id="other-access-modes"),
        pytest.param(
            sized("10Gi", modes=("ReadOnlyMany", "ReadWriteOnce")), {}, True,
            id="more-access-modes",
        ),
        pytest.param(sized("10Gi", spec={"volumeMode": "Block"}), {}, False, id="other-mode"),
        pytest.param(
            sized("10Gi", spec={"volumeMode": "Block"}), {"spec": {"volumeMode": "Block"}}, True,
            id="block",
        ),
        pytest.param(
            sized("10Gi", spec={"volumeAttributesClassName": "fast"}), {}, False,
            id="other-attributes",
        ),
        pytest.param(
            sized("10Gi"), {"spec": {"selector": {"matchLabels": {"disk": "ssd"}}}}, False,
            id="selector-does-not-match",
        ),
        pytest.param(
            sized("10Gi", labels={"disk": "ssd"}),
            {"spec": {"selector": {"matchLabels": {"disk": "ssd"}}}}, True,
            id="selector-matches",
        ),
        pytest.param(sized("10Gi", affinity=within(ZONE, "b")), {}, False, id="out-of-reach"),
        pytest.param(sized("10Gi", affinity=within(HOST, "n1")), {}, True, id="local"),
        pytest.param(
            sized("10Gi", affinity={"required": {"nodeSelectorTerms": []}}), {}, False,
            id="no-term-is-no-node",
        ),
        pytest.param(sized("10Gi", phase="Pending"), {}, False, id="not-available-yet"),
        pytest.param(sized("10Gi", phase="Released", claim="old", claim_uid="x"), {}, False,
                     id="released"),
        pytest.param(sized("10Gi", deletionTimestamp="2024-01-01T00:00:00Z"), {}, False,
                     id="deleting"),
        pytest.param(sized("10Gi", claim="other"), {}, False, id="meant-for-another"),
        pytest.param(sized("10Gi", claim="c", phase="Pending"), {}, True, id="meant-for-it"),
        pytest.param(sized("10Gi", claim="c", claim_uid="uid-c"), {}, True, id="and-its-uid"),
        pytest.param(sized("10Gi", claim="c", claim_uid="uid-before"), {}, False,
                     id="meant-for-one-of-that-name-before"),
        pytest.param(sized("4Gi", claim="c"), {}, False, id="meant-for-it-but-too-small"),
        pytest.param(
            [*sized("10Gi", claim="c", affinity=within(ZONE, "b")), volume("x", "9Gi", "static")],
            {}, False,
            id="meant-for-it-but-out-of-reach-is-no-match-at-all",
        ),
        pytest.param(
            [STATIC, volume("pv", annotations={
                "volume.beta.kubernetes.io/storage-class": "static"})], {}, True,
            id="class-by-annotation",
        ),
    ],
)  # fmt: skip
def test_a_free_volume_is_what_the_claim_asks_for(
    objects: list[Object], wanted: dict[str, Any], fits: bool
) -> None:
    """Size, access modes, mode, attributes, selector, reach; the one meant for it first."""
    world = World(*objects, claim("c", storage_class="static", **wanted)).node("n1", zone="a")
    assert world.why_not("n1", uses("c")) == (None if fits else rejected(NONE_FREE))


def chosen(world: World, node: str, *claims: str) -> dict[str, str] | str | None:
    """Reserve for a pod; return claims and their volumes, or ``*`` for those to be made."""
    world.demand(uses(*claims), "p")
    found = world.book.reserve("uid-p", node, world.cluster.by_name[node].labels)
    if found is None or isinstance(found, str):
        return found
    assert found.node == node
    given = {key.name: name for name, key in found.volumes}
    return given | {key.name: "*" for key in found.provisions}


def test_the_smallest_volumes_that_fit_go_to_the_smallest_claims() -> None:
    """By name among equals; local ones of other nodes are passed by."""
    world = World(
        STATIC,
        volume("small", "6Gi", "static", affinity=within(HOST, "n2")),
        volume("c8", "8Gi", "static"), volume("b8", "8Gi", "static"),
        volume("a20", "20Gi", "static", affinity=within(ZONE, "a")),
        claim("big", "7Gi", "static"), claim("bigger", "9Gi", "static"),
        claim("least", "1Gi", "static"),
    ).node("n1", zone="a").node("n2", zone="b")  # fmt: skip
    assert chosen(world, "n2", "least", "big") == {"least": "small", "big": "b8"}
    world = World(
        STATIC, volume("c8", "8Gi", "static"), volume("b8", "8Gi", "static"),
        volume("a20", "20Gi", "static", affinity=within(ZONE, "a")),
        claim("big", "7Gi", "static"), claim("bigger", "9Gi", "static"),
        claim("least", "1Gi", "static"),
    ).node("n1", zone="a")  # fmt: skip
    assert chosen(world, "n1", "bigger", "big", "least") == {
        "least": "b8",
        "big": "c8",
        "bigger": "a20",
    }
    assert chosen(World(claim("c", to="pv"), volume("pv")).node("n1"), "n1", "c") is None


def test_what_is_reserved_is_nobody_elses_until_it_is_given_back() -> None:
    """A second pod finds nothing; giving back makes the volume free again."""
    world = World(
        STATIC, volume("pv", "8Gi", "static"),
        claim("c", storage_class="static"), claim("d", storage_class="static"),
    ).node("n1")  # fmt: skip
    world.demand(uses("c"), "p")
    other = world.demand(uses("d"), "q")
    assert other is world.demand(uses("c"), "p")
    assert other is not None
    revision = world.book.revision(other)
    reservation = world.book.reserve("uid-p", "n1", {})
    assert not isinstance(reservation, str)
    assert reservation is not None
    assert world.why_not("n1", uses("d"), "q") == rejected(NONE_FREE)
    assert world.book.reserve("uid-q", "n1", {}) == NONE_FREE
    assert world.book.revision(other) > revision
    assert world.book.release(reservation).helps(other)
    assert world.why_not("n1", uses("d"), "q") is None
    assert not world.book.release(reservation).event


def test_volumes_that_are_alike_are_not_missed_but_by_who_wants_several() -> None:
    """As long as one is left; local ones are looked for on their node alone."""
    world = World(
        STATIC, *(volume(f"pv{index}", "8Gi", "static") for index in range(3)),
        *(claim(f"c{index}", storage_class="static") for index in range(4)),
    ).node("n1")  # fmt: skip
    one, two = world.demand(uses("c0"), "p"), world.demand(uses("c0", "c1"), "q")
    world.book.forget("uid-q")
    assert one is not None
    assert two is not None

    def revisions() -> tuple[int, int]:
        return world.book.revision(one), world.book.revision(two)

    seen = [revisions()]
    for name in ("p", "r", "s"):
        world.demand(uses({"p": "c0", "r": "c2", "s": "c3"}[name]), name)
        world.book.reserve(f"uid-{name}", "n1", {})
        seen.append(revisions())
    singles, several = zip(*seen, strict=True)
    assert singles[0] == singles[1] == singles[2] < singles[3]
    assert several[0] < several[1] < several[2] < several[3]
    world.put(volume("local", "8Gi", "static", affinity=within(HOST, "n1")))
    world.demand(uses("c1"), "t")
    before = revisions()
    assert world.book.reserve("uid-t", "n1", {HOST: "n1"})
    assert revisions() == before


def test_what_was_reserved_and_written_stays_with_its_claim() -> None:
    """Giving back does not undo a write; the claim finds the volume again, others do not."""
    world = World(
        STATIC, volume("pv", "8Gi", "static"),
        claim("c", storage_class="static"), claim("d", storage_class="static"),
    ).node("n1")  # fmt: skip
    world.demand(uses("c"), "p")
    reservation = world.book.reserve("uid-p", "n1", {})
    assert not isinstance(reservation, str)
    assert reservation is not None
    world.put(volume("pv", "8Gi", "static", claim="c", claim_uid="uid-c"))
    assert world.refresh() == {"p"}
    world.book.release(reservation)
    assert not world.book.supply.reserved
    assert world.why_not("n1", uses("d"), "q") == rejected(NONE_FREE)
    assert chosen(world, "n1", "c") == {"c": "pv"}


def test_pods_that_share_a_claim_follow_the_first_one() -> None:
    """To its volume while it is reserved, and to the node that it is provisioned for."""
    world = World(
        STATIC, WAITS, volume("pv", "8Gi", "static", affinity=within(ZONE, "a")),
        claim("c", storage_class="static"), claim("w", storage_class="waits"),
    ).node("n1", zone="a").node("n2", zone="b").node("n3", zone="a")  # fmt: skip
    assert chosen(world, "n1", "c", "w") == {"c": "pv", "w": "*"}
    assert world.why_not("n3", uses("c"), "q") is None
    assert world.why_not("n2", uses("c"), "q") == rejected(NONE_FREE)
    assert world.why_not("n1", uses("w"), "r") is None
    assert world.why_not("n3", uses("w"), "r") == rejected(NONE_FREE)


def test_what_two_pods_share_is_kept_until_both_have_let_go() -> None:
    """A volume that is reserved, and a node that was chosen for a claim."""
    world = World(
        STATIC, WAITS, volume("pv", "8Gi", "static"),
        claim("c", storage_class="static"), claim("w", storage_class="waits"),
    ).node("n1").node("n2")  # fmt: skip
    reservations = []
    for name in "pq":
        world.demand(uses("c", "w"), name)
        reservations.append(world.book.reserve(f"uid-{name}", "n1", {}))
    assert reservations[0] == reservations[1]
    for reservation in reservations:
        assert world.book.supply.reserved
        assert world.book.supply.provisioning
        assert not isinstance(reservation, str)
        assert reservation is not None
        world.book.release(reservation)
    assert not world.book.supply.reserved
    assert not world.book.supply.provisioning
    assert chosen(world, "n2", "c", "w") == {"c": "pv", "w": "*"}


def test_a_selected_node_is_kept_to() -> None:
    """A claim that asks to be provisioned for a node goes nowhere else until that is taken back."""
    selected = {"volume.kubernetes.io/selected-node": "n1"}
    world = World(WAITS, claim("w", storage_class="waits", annotations=selected))
    world.node("n1").node("n2")
    assert world.why_not("n1", uses("w")) is None
    assert world.why_not("n2", uses("w")) == rejected(NONE_FREE)
    world.put(claim("w", storage_class="waits"))
    assert world.refresh() == {"p"}
    assert world.why_not("n2") is None


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        pytest.param(None, True, id="none"),
        pytest.param([], True, id="empty"),
        pytest.param([topology(**{ZONE: ("a", "b")})], True, id="value"),
        pytest.param([topology(**{ZONE: ("b",)})], False, id="other-value"),
        pytest.param([topology(**{ZONE: ("b",)}), topology(**{HOST: ("n1",)})], True, id="or"),
        pytest.param([topology(**{ZONE: ("a",), HOST: ("n2",)})], False, id="and"),
        pytest.param([topology()], False, id="term-of-nothing"),
    ],
)
def test_volumes_are_made_where_the_class_allows_it(terms: Any, fits: bool) -> None:
    """``allowedTopologies`` are terms of labels and their values."""
    world = World(storage_class("far", topologies=terms), claim("w", storage_class="far")).node(
        "n1", zone="a"
    )
    assert world.why_not("n1", uses("w")) == (None if fits else rejected(NONE_FREE))


ANYWHERE: Object = {}
HERE = {"matchLabels": {ZONE: "a"}}
THERE = {"matchLabels": {ZONE: "b"}}
SOMEWHERE = {"matchExpressions": [{"key": ZONE, "operator": "Exists"}]}


@pytest.mark.parametrize(
    ("capacities", "fits"),
    [
        pytest.param([], False, id="nothing-told"),
        pytest.param([capacity("x", "waits", "5Gi", selector=HERE)], True, id="exactly-enough"),
        pytest.param([capacity("x", "waits", "4Gi", selector=HERE)], False, id="too-little"),
        pytest.param([capacity("x", "waits", "9Gi", selector=THERE)], False, id="elsewhere"),
        pytest.param([capacity("x", "waits", "9Gi", selector=ANYWHERE)], True, id="anywhere"),
        pytest.param([capacity("x", "waits", "9Gi", selector=SOMEWHERE)], True, id="expression"),
        pytest.param([capacity("x", "waits", "9Gi")], False, id="no-topology-is-nowhere"),
        pytest.param([capacity("x", "other", "9Gi", selector=HERE)], False, id="other-class"),
        pytest.param([capacity("x", "waits", None, selector=HERE)], False, id="no-amount"),
        pytest.param(
            [capacity("x", "waits", "9Gi", selector=HERE, largest="4Gi")], False,
            id="largest-volume-is-what-counts",
        ),
        pytest.param(
            [capacity("x", "waits", "1Gi", selector=HERE),
             capacity("y", "waits", "9Gi", selector=HERE)], True,
            id="one-of-two",
        ),
    ],
)  # fmt: skip
def test_a_driver_that_tells_of_its_room_is_believed(capacities: list[Object], fits: bool) -> None:
    """Only a driver that says it does so is held to it."""
    world = World(WAITS, claim("w", storage_class="waits"), *capacities).node("n1", zone="a")
    assert world.why_not("n1", uses("w")) is None
    world.put(storage("CSIDriver", EBS, spec={"storageCapacity": True}))
    assert world.why_not("n1", uses("w")) == (None if fits else rejected(NO_ROOM))
    world.remove(*capacities)
    assert world.why_not("n1", uses("w")) == rejected(NO_ROOM)
    (change,) = world.remove(storage("CSIDriver", EBS))
    demand = world.demand(uses("w"))
    assert demand is not None
    assert change.helps(demand)
    assert world.why_not("n1", uses("w")) is None


def test_an_ephemeral_volume_waits_for_its_claim() -> None:
    """The controller that makes it is named; a volume that is gone is no concern of zones."""
    ephemeral: Object = {"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}
    world = World().node("n1")
    demand = world.demand([ephemeral])
    assert demand is not None
    assert demand.refusal("VolumeBinding") == (
        'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-v"'
    )
    owner = {"kind": "Pod", "name": "p", "uid": "uid-p", "controller": True}
    world.put(claim("p-v", to="pv", ownerReferences=[owner]))
    assert world.refresh() == {"p"}
    assert world.why_not("n1", [ephemeral]) == rejected(MISSING)
    world.put(volume("pv"))
    assert world.why_not("n1", [ephemeral]) is None


def test_pods_that_demand_the_same_share_a_demand() -> None:
    """Different claims and volumes; what tells them apart is what nodes can tell."""
    world = World(WAITS)
    for name, zone in (("a", "x"), ("b", "x"), ("c", "y")):
        world.put(
            volume(f"pv-{name}", affinity=within(ZONE, zone), labels={ZONE: zone}),
            claim(name, to=f"pv-{name}"),
        )
    world.put(*(claim(name, storage_class="waits") for name in "de"))
    world.put(claim("f", "6Gi", "waits"))
    demands = {name: world.demand(uses(name), f"pod-{name}") for name in "abcdef"}
    assert demands["a"] is demands["b"]
    assert demands["d"] is demands["e"]
    assert len(set(demands.values())) == 4
    assert demands["a"] is not None
    assert demands["a"].depends == Depends.NODE_PODS
    assert demands["d"] is not None
    assert demands["d"].depends == Depends.NODE_PODS | Depends.SUPPLY


@pytest.mark.parametrize(
    "source", [{"emptyDir": {}}, {"configMap": {"name": "x"}}, {"projected": {}}, {"csi": {}}]
)
def test_other_volumes_demand_nothing(source: Object) -> None:
    """Nothing is remembered of pods that have only those."""
    world = World()
    assert world.demand([{"name": "v", **source}]) is None
    assert world.demand([]) is None
    assert not world.book.usage.pods


def test_changes_help_whom_they_concern() -> None:
    """Free volumes, classes and room help pods whose claims wait for that class."""
    world = World(WAITS, STATIC, claim("w", storage_class="waits"), claim("b", to="pv"))
    waiting, bound = world.demand(uses("w")), world.demand(uses("b"), "q")
    assert waiting is not None
    assert bound is not None
    helpful = world.put(
        volume("new", storage_class="waits"),
        capacity("x", "waits", "1Gi", selector=ANYWHERE),
        storage_class("waits", topologies=[topology(**{ZONE: ("a",)})]),
    )
    assert [change.helps(waiting) for change in helpful] == [True, True, True]
    assert [change.helps(bound) for change in helpful] == [False, False, False]
    (same,) = world.put(volume("new", storage_class="waits"))
    assert not same.event
    less, more = world.put(
        capacity("x", "waits", "500Mi", selector=ANYWHERE),
        capacity("x", "waits", "2Gi", selector=ANYWHERE),
    )
    assert not less.event
    assert more.helps(waiting)
    (other,) = world.put(volume("else", storage_class="static"))
    assert not other.helps(waiting)


def test_pods_are_resolved_anew_when_their_claim_or_its_volume_changes() -> None:
    """And no others."""
    world = World(STATIC, claim("c", storage_class="static"), claim("d", to="pv-d"))
    world.demand(uses("c"), "p")
    world.demand(uses("d"), "q")
    assert world.refresh() == set()
    world.put(volume("pv-d"))
    assert world.refresh() == {"q"}
    world.put(volume("pv-d", labels={ZONE: "a"}))
    assert world.refresh() == {"q"}
    world.put(volume("pv-c", storage_class="static"))
    assert world.refresh() == set()
    world.put(volume("pv-c", storage_class="static", claim="c"))
    assert world.refresh() == {"p"}
    world.put(storage_class("static", "other.csi"))
    assert world.refresh() == {"p"}
    world.remove(volume("pv-d"))
    assert world.refresh() == {"q"}
    world.remove(claim("c"))
    assert world.refresh() == {"p"}
    world.book.forget("uid-q")
    world.put(volume("pv-d"))
    assert world.refresh() == set()
