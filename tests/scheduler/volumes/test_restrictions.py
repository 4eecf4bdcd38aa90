"""VolumeRestrictions: disks and claims that one pod alone may use."""

from __future__ import annotations

import pytest

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.framework import VOLUME_FILTERS
from tests.scheduler.volumes.storage import Object, World, claim, uses, volume

DISK = ("VolumeRestrictions", ("node(s) had no available disk",), True)
_REASON = (
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
)
USED = ("VolumeRestrictions", (_REASON,), True)


def gce(name: str, *, read_only: bool = False) -> Object:
    """Make a GCE disk."""
    return {"name": "v", "gcePersistentDisk": {"pdName": name, "readOnly": read_only}}


def aws(name: str) -> Object:
    """Make an EBS disk."""
    return {"name": "v", "awsElasticBlockStore": {"volumeID": name, "readOnly": True}}


def iscsi(iqn: str, *, read_only: bool = False, lun: int = 0) -> Object:
    """Make an ISCSI disk."""
    source = {"targetPortal": "127.0.0.1:3260", "iqn": iqn, "lun": lun, "readOnly": read_only}
    return {"name": "v", "iscsi": source}


def rbd(*monitors: str, image: str = "bar", pool: str = "foo", read_only: bool = False) -> Object:
    """Make an RBD image."""
    source = {"monitors": list(monitors), "image": image, "pool": pool, "readOnly": read_only}
    return {"name": "v", "rbd": source}


@pytest.mark.parametrize(
    ("there", "wanted", "free"),
    [
        pytest.param(gce("foo"), gce("foo"), False, id="gce-same"),
        pytest.param(gce("foo"), gce("bar"), True, id="gce-other"),
        pytest.param(gce("foo", read_only=True), gce("foo", read_only=True), True, id="gce-read"),
        pytest.param(gce("foo", read_only=True), gce("foo"), False, id="gce-write-beside-read"),
        pytest.param(gce("foo"), gce("foo", read_only=True), False, id="gce-read-beside-write"),
        pytest.param(aws("foo"), aws("foo"), False, id="aws-same-even-read-only"),
        pytest.param(aws("foo"), aws("bar"), True, id="aws-other"),
        pytest.param(aws("foo"), gce("foo"), True, id="kinds-differ"),
        pytest.param(rbd("a", "b"), rbd("b", "c"), False, id="rbd-one-monitor-is-enough"),
        pytest.param(rbd("a", "b"), rbd("c"), True, id="rbd-other-monitors"),
        pytest.param(rbd("a"), rbd("a", image="baz"), True, id="rbd-other-image"),
        pytest.param(rbd("a"), rbd("a", pool="baz"), True, id="rbd-other-pool"),
        pytest.param(rbd("a", read_only=True), rbd("a", read_only=True), True, id="rbd-read"),
        pytest.param(iscsi("iqn.1"), iscsi("iqn.1", lun=1), False, id="iscsi-same-target"),
        pytest.param(iscsi("iqn.1"), iscsi("iqn.2"), True, id="iscsi-other"),
        pytest.param(
            iscsi("iqn.1", read_only=True), iscsi("iqn.1", read_only=True), True, id="iscsi-read"
        ),
    ],
)
def test_disks_are_shared_as_upstream_lets_them(there: Object, wanted: Object, free: bool) -> None:
    """Same disk on the same node: only readers, and of EBS not even those."""
    world = World().node("n1").node("n2")
    world.place([there], "n1")
    assert world.why_not("n1", [wanted]) == (None if free else DISK)
    assert world.why_not("n2", [wanted]) is None
    world.displace()
    assert world.why_not("n1", [wanted]) is None


def test_a_read_write_once_pod_claim_is_used_by_one_pod_in_the_cluster() -> None:
    """Another pod is rejected on every node, and its leaving would help."""
    once = ("ReadWriteOncePod",)
    world = World(
        claim("one", to="pv1", modes=once), claim("two", to="pv2", modes=once),
        volume("pv1", modes=once), volume("pv2", modes=once),
    ).node("n1").node("n2")  # fmt: skip
    world.place(uses("one"), "n1")
    assert world.why_not("n1", uses("one")) == USED
    assert world.why_not("n2", uses("one")) == USED
    assert world.why_not("n2", uses("two"), "q") is None
    world.displace()
    assert world.why_not("n2", uses("one")) is None


def test_pods_that_wait_for_the_same_exclusive_claim_are_told_apart_from_others() -> None:
    """Alone with its claim a pod is like all others; once it is not, it is resolved anew."""
    once = ("ReadWriteOncePod",)
    claims = [claim(name, to=f"pv-{name}", modes=once) for name in "ab"]
    world = World(*claims, *(volume(f"pv-{name}") for name in "ab")).node("n1")
    first, other = world.demand(uses("a"), "p1"), world.demand(uses("b"), "p2")
    assert first is other
    world.demand(uses("a"), "p3")
    assert world.refresh() == {"p1"}
    assert world.demand(uses("a"), "p1") == world.demand(uses("a"), "p3") != other
    revision = world.book.revision(demand) if (demand := world.demand(uses("a"), "p1")) else None
    world.place(uses("a"), "n1", "p3")
    assert demand is not None
    assert revision is not None
    assert world.book.revision(demand) > revision
    assert world.why_not("n1", uses("a"), "p1") == USED


def test_answers_kept_for_a_shared_claim_hold_no_longer_when_a_lone_pod_took_it() -> None:
    """Its use is counted also while nobody else names it, since somebody did and may again."""
    once = ("ReadWriteOncePod",)
    world = World(claim("a", to="pv", modes=once), volume("pv", modes=once)).node("n1")
    world.demand(uses("a"), "p1")
    shared = world.demand(uses("a"), "p2")
    assert shared is not None
    revision = world.book.revision(shared)
    world.book.forget("uid-p1")
    world.place(uses("a"), "n1", "p2")
    assert world.demand(uses("a"), "p3") == shared
    assert world.book.revision(shared) > revision


def test_claims_of_the_same_name_in_another_namespace_are_others() -> None:
    """A claim is its namespace and its name."""
    once = ("ReadWriteOncePod",)
    world = World(
        claim("one", to="pv1", modes=once), claim("one", to="pv2", modes=once, namespace="other"),
        volume("pv1"), volume("pv2"),
    ).node("n1")  # fmt: skip
    world.place(uses("one"), "n1")
    demand = world.demand(uses("one"), "p", "other")
    assert demand is not None
    assert not demand.parts.exclusive


def test_a_missing_claim_is_refused_before_any_node_is_looked_at() -> None:
    """In the API's words, and no other pod's leaving helps."""
    world = World().node("n1")
    expected = ("VolumeRestrictions", ('persistentvolumeclaim "gone" not found',), False)
    assert world.why_not("n1", uses("gone")) == expected
    world.put(claim("gone", to="pv"), volume("pv"))
    assert world.refresh() == {"p"}
    assert world.why_not("n1") is None


def test_each_plugin_refuses_by_itself() -> None:
    """A profile may do without some of them."""
    world = World().node("n1")
    pod = PodClass({"containers": []}, volumes=world.demand(uses("gone")))
    found = {
        plugin.name: plugin.check(pod, world.cluster.by_name["n1"], world.cluster)
        for plugin in VOLUME_FILTERS
    }
    missing = 'persistentvolumeclaim "gone" not found'
    assert {name: rejection and rejection.reasons for name, rejection in found.items()} == {
        "VolumeRestrictions": (missing,),
        "NodeVolumeLimits": (f"looking up PVC default/gone: {missing}",),
        "VolumeBinding": (missing,),
        "VolumeZone": (missing,),
    }
