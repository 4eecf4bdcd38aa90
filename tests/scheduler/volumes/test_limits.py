"""NodeVolumeLimits: how many volumes a driver attaches to a node."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scheduler.volumes.storage import (
    EBS,
    Object,
    World,
    attachment,
    claim,
    csi_node,
    storage_class,
    uses,
    volume,
)

FULL = ("NodeVolumeLimits", ("node(s) exceed max volume count",), True)
IN_TREE = {"awsElasticBlockStore": {"volumeID": "vol-1"}}


def world(limit: int | None = 2, **options: Any) -> World:
    """Make a node with a limit for EBS, and claims a to f bound to volumes of their own."""
    objects = [claim(name, to=f"pv-{name}") for name in "abcdef"]
    objects += [volume(f"pv-{name}") for name in "abcdef"]
    made = World(*objects, storage_class("waits")).node("n1").node("n2")
    made.put(csi_node("n1", {EBS: limit}, **options))
    return made


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        pytest.param(["a"], ["b"], None, id="within"),
        pytest.param(["a", "b"], ["c"], FULL, id="one-too-many"),
        pytest.param(["a"], ["b", "c"], FULL, id="two-of-one-left"),
        pytest.param(["a", "b"], ["a", "b"], None, id="shared-volumes-cost-nothing"),
        pytest.param(["a", "b"], ["a", "c"], FULL, id="one-shared-one-new"),
        pytest.param([], ["a", "b", "c"], FULL, id="too-many-for-an-empty-node"),
        pytest.param(["a", "b"], [], None, id="no-volumes"),
    ],
)
def test_new_volumes_count_beside_those_that_are_attached(
    there: list[str], wanted: list[str], expected: Any
) -> None:
    """A volume takes one place, whoever uses it."""
    found = world()
    for name in there:
        found.place(uses(name), "n1", f"on-{name}")
    assert found.why_not("n1", uses(*wanted)) == expected
    assert found.why_not("n2", uses(*wanted)) is None


def test_a_volume_that_two_pods_use_is_counted_until_both_have_left() -> None:
    """Places are freed when nobody uses the volume any more."""
    found = world(1)
    found.place(uses("a"), "n1", "one")
    found.place(uses("a"), "n1", "two")
    assert found.why_not("n1", uses("b")) == FULL
    found.displace("one")
    assert found.why_not("n1", uses("b")) == FULL
    found.displace("two")
    assert found.why_not("n1", uses("b")) is None


@pytest.mark.parametrize("limit", [None, 0])
def test_no_count_is_no_limit_and_zero_is_one(limit: int | None) -> None:
    """A driver that tells of no count attaches any number."""
    assert world(limit).why_not("n1", uses("a")) == (None if limit is None else FULL)


def test_a_limit_concerns_its_own_driver() -> None:
    """Volumes of other drivers do not count."""
    found = world(1)
    other = {"csi": {"driver": "other.csi", "volumeHandle": "x"}}
    found.put(claim("o", to="pv-o"), volume("pv-o", source=other))
    found.place(uses("o"), "n1")
    assert found.why_not("n1", uses("a")) is None
    assert found.why_not("n1", uses("a", "o"), "q") is None


def test_claims_that_wait_count_for_their_classes_provisioner() -> None:
    """Also between the decision and the binding, after which they count as what they got."""
    found = world(1)
    found.put(claim("w", storage_class="waits"), claim("x", storage_class="waits"))
    assert found.why_not("n1", uses("w", "x")) == FULL
    found.place(uses("w"), "n1")
    assert found.why_not("n1", uses("x"), "q") == FULL
    found.put(volume("pv-w", storage_class="waits"), claim("w", storage_class="waits", to="pv-w"))
    assert found.why_not("n1", uses("x"), "q") == FULL
    assert found.why_not("n1", uses("w"), "r") is None
    found.displace()
    assert found.why_not("n1", uses("x"), "q") is None


def test_ephemeral_volumes_count_and_must_be_the_pods_own() -> None:
    """Their claims are named after the pod and owned by it."""
    found = world(0)
    ephemeral: Object = {"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}
    owner = {"kind": "Pod", "name": "p", "uid": "uid-p", "controller": True}
    found.put(claim("p-v", to="pv-a", ownerReferences=[owner]))
    assert found.why_not("n1", [ephemeral]) == FULL
    found.put(claim("q-v", to="pv-b", ownerReferences=[owner]))
    expected = "PVC default/q-v was not created for pod default/q (pod is not owner)"
    assert found.why_not("n1", [ephemeral], "q") == ("VolumeBinding", (expected,), False)


def test_two_volumes_of_one_handle_take_one_place() -> None:
    """What tells volumes apart is the handle, not the object."""
    found = world(1)
    source = {"csi": {"driver": EBS, "volumeHandle": "handle-pv-a"}}
    found.place(uses("a"), "n1")
    assert found.refresh() == set()
    found.put(volume("twin", source=source), claim("t", to="twin"))
    assert found.refresh() == {"placed"}
    assert found.why_not("n1", uses("t")) is None
    assert found.why_not("n1", uses("b"), "q") == FULL


@pytest.mark.parametrize("migrated", ["", "kubernetes.io/aws-ebs", "kubernetes.io/gce-pd"])
def test_in_tree_volumes_count_where_their_plugin_is_migrated(migrated: str) -> None:
    """The CSINode says whether the driver attaches them, in pods and behind claims."""
    found = world(1, migrated=migrated)
    found.put(claim("old", to="pv-old"), volume("pv-old", source=IN_TREE))
    counts = migrated == "kubernetes.io/aws-ebs"
    found.place(uses("old"), "n1")
    assert found.why_not("n1", uses("a")) == (FULL if counts else None)
    found.displace()
    found.place(uses("a"), "n1", "other")
    assert found.why_not("n1", uses("old"), "q") == (FULL if counts else None)
    inline: Object = {"name": "v", "awsElasticBlockStore": {"volumeID": "vol-2"}}
    assert found.why_not("n1", [inline], "r") == (FULL if counts else None)


def test_volume_attachments_count_once_beside_the_pods_that_use_them() -> None:
    """A volume whose pod has ended keeps its place until it is detached."""
    found = world(1)
    gone = attachment("va", "n1", "pv-a")
    found.put(gone)
    assert found.why_not("n1", uses("b")) == FULL
    found.place(uses("a"), "n1")
    assert found.why_not("n1", uses("b")) == FULL
    found.put(csi_node("n1", {EBS: 2}))
    assert found.why_not("n1", uses("b")) is None
    found.displace()
    found.put(csi_node("n1", {EBS: 1}))
    assert found.why_not("n1", uses("b")) == FULL
    (change,) = found.remove(gone)
    assert change.nodes == ("n1",)
    demand = found.demand(uses("b"))
    assert demand is not None
    assert change.helps(demand)
    assert found.why_not("n1", uses("b")) is None
    assert not found.book.usage.nodes["n1"].count(EBS)


def test_a_volume_attachment_counts_once_its_volume_is_known() -> None:
    """Objects come in any order, and verdicts about the node are void when they do."""
    found = world(1)
    found.put(attachment("va", "n1", "late"))
    assert found.why_not("n1", uses("b")) is None
    (change,) = found.put(volume("late"))
    assert change.nodes == ("n1",)
    assert found.why_not("n1", uses("b")) == FULL
    (change,) = found.remove(volume("late"))
    assert change.nodes == ("n1",)
    assert found.why_not("n1", uses("b")) is None


def test_raising_a_limit_helps_pods_with_volumes_of_that_driver() -> None:
    """Lowering it, or saying the same again, helps nobody."""
    found = world(1)
    demand = found.demand(uses("a"))
    assert demand is not None
    (raised,), (same,), (lowered,) = (found.put(csi_node("n1", {EBS: n})) for n in (3, 3, 2))
    assert raised.helps(demand)
    assert raised.nodes == ("n1",)
    assert not same.helps(demand)
    assert not same.nodes
    assert not lowered.helps(demand)
    assert lowered.nodes == ("n1",)
    (freed,) = found.remove(csi_node("n1"))
    assert freed.helps(demand)


def test_nothing_is_remembered_of_nodes_without_volumes() -> None:
    """Pods come and go; what they leave is nothing."""
    found = World(claim("a", to="pv"), volume("pv")).node("n1")
    found.place(uses("a"), "n1")
    assert set(found.book.usage.nodes) == {"n1"}
    found.displace()
    found.book.forget("uid-placed")
    assert not found.book.usage.nodes
    assert not found.book.usage.pods
    assert list(found.book.usage.users(next(iter(found.book.claims)))) == []


def test_pods_whose_claims_attach_nothing_leave_a_node_one_by_one() -> None:
    """As those with volumes of a directory: the first to leave is not the end of the node."""
    found = World(claim("a"), claim("b")).node("n1")
    found.place(uses("a"), "n1", "one")
    found.place(uses("b"), "n1", "two")
    found.displace("one")
    found.displace("two")
    assert not found.book.usage.nodes
