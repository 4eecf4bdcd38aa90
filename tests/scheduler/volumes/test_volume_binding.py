"""Writing what was decided about a pod's claims, and waiting until they are bound."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.volumes import Reservation
from orchestrator.scheduler.core.volumes.persistent import ClaimKey
from orchestrator.scheduler.volume_binding import (
    Finished,
    VolumeBinder,
    give_volume,
    select_node,
)
from tests.scheduler.volumes.storage import HOST, Object, claim, volume, within

C, D = ClaimKey("default", "c"), ClaimKey("default", "d")
STATIC = Reservation("n1", (("pv", C),), ())
DYNAMIC = Reservation("n1", (), (C,))
ON_N1 = {"volume.kubernetes.io/selected-node": "n1"}
PREFIX = "binding volumes: "


class Objects:
    """Objects as the store has them, and a binder that looks at them."""

    def __init__(self, *objects: Object) -> None:
        self.found: dict[tuple[str, str, str], Object] = {}
        self.binder = VolumeBinder(lambda *key: self.found.get(key))
        self.put(*objects)

    def put(self, *objects: Object) -> None:
        for obj in objects:
            resource = obj["kind"].lower() + "s"
            obj["metadata"].setdefault("resourceVersion", "7")
            key = Key(resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            self.found[key] = obj
            self.binder.changed(key)

    def begin(
        self, reservation: Reservation, uid: str = "p", now: float = 0.0, timeout: float = 600.0
    ) -> Any:
        """Begin, and do the writes as the sequencer would."""
        results: list[Object | StatusError] = []
        for write in self.binder.begin(uid, reservation, now, timeout):
            current = self.found[write.resource, write.namespace, write.name]
            try:
                changed: Any = write.change(current)
            except StatusError as error:
                results.append(error)
                continue
            self.put(changed or current)
            results.append(changed or current)
        return self.binder.written(uid, results)

    def finished(self, now: float = 1.0, labels: Any = None) -> list[Finished]:
        there = {"n1": {HOST: "n1"}} if labels is None else labels
        return self.binder.take_finished(now, there.get)


def test_a_volume_is_given_to_the_claim_and_says_who_bound_it() -> None:
    """As upstream's scheduler writes it; a volume that the user chose says nothing of that."""
    changed = give_volume(C, {"uid": "uid-c", "resourceVersion": "7"}, volume("pv"))
    assert changed is not None
    assert changed["spec"]["claimRef"] == {
        "kind": "PersistentVolumeClaim",
        "namespace": "default",
        "name": "c",
        "uid": "uid-c",
        "apiVersion": "v1",
        "resourceVersion": "7",
    }
    annotations = {"pv.kubernetes.io/bound-by-controller": "yes"}
    assert changed["metadata"]["annotations"] == annotations
    assert give_volume(C, {"uid": "uid-c", "resourceVersion": "8"}, changed) is None
    meant = give_volume(C, {"uid": "uid-c", "resourceVersion": "7"}, volume("pv", claim="c"))
    assert meant is not None
    assert meant["spec"] == changed["spec"]
    assert "annotations" not in meant["metadata"]


@pytest.mark.parametrize(
    ("current", "metadata", "why"),
    [
        (volume("pv", claim="d"), {"uid": "uid-c"}, "the volume is another claim's"),
        (volume("pv", claim="c", claim_uid="old"), {"uid": "uid-c"}, "another claim's"),
        (volume("pv", deletionTimestamp="x"), {"uid": "uid-c"}, "is being deleted"),
        (volume("pv"), None, 'the claim "c" is gone'),
    ],
)
def test_a_volume_that_cannot_be_had_any_more_is_refused(
    current: Object, metadata: Any, why: str
) -> None:
    """Whoever wrote last is not overwritten."""
    with pytest.raises(StatusError, match=why):
        give_volume(C, metadata, current)


def test_a_claim_is_told_the_node_once() -> None:
    """One that has a volume or another node is not told."""
    told = select_node("n1", claim("c"))
    assert told is not None
    assert told["metadata"]["annotations"] == ON_N1
    assert select_node("n1", told) is None
    for other, why in (
        (claim("c", annotations={"volume.kubernetes.io/selected-node": "n2"}), "node n2"),
        (claim("c", to="pv"), "has a volume by now"),
        (claim("c", deletionTimestamp="x"), "is being deleted"),
    ):
        with pytest.raises(StatusError, match=why):
            select_node("n1", other)


def test_a_static_binding_ends_when_the_claim_is_fully_bound() -> None:
    """Naming the volume is not enough: who binds them says when it has finished."""
    objects = Objects(volume("pv"), claim("c"))
    assert objects.begin(STATIC) is None
    assert objects.finished() == []
    objects.put(claim("c", to="pv", bound=False))
    assert objects.finished() == []
    assert "p" in objects.binder
    objects.put(claim("c", to="pv"))
    assert objects.finished() == [Finished("p", None)]
    assert len(objects.binder) == 0
    assert objects.binder.next_deadline() is None


def test_a_volume_is_waited_for_that_has_to_be_made() -> None:
    """Until both the claim and the volume are there."""
    objects = Objects(claim("c"))
    objects.begin(DYNAMIC)
    objects.put(claim("c", to="new", annotations=ON_N1))
    assert objects.finished() == []
    objects.put(volume("new", claim="c", affinity=within(HOST, "n1")))
    assert objects.finished() == [Finished("p", None)]


@pytest.mark.parametrize(
    ("reservation", "change", "failure"),
    [
        pytest.param(DYNAMIC, claim("c"), 'provisioning failed for PVC "c"', id="taken-back"),
        pytest.param(STATIC, volume("pv"), 'ClaimRef got reset for pv "pv"', id="unbound-again"),
        pytest.param(
            STATIC, volume("pv", claim="d", claim_uid="uid-d"),
            'pv "pv" is for another claim by now',
            id="given-to-another",
        ),
        pytest.param(
            STATIC, volume("pv", claim="c", claim_uid="uid-c", affinity=within(HOST, "n2")),
            'pv "pv" node affinity doesn\'t match node "n1": no matching NodeSelectorTerms',
            id="out-of-reach",
        ),
    ],
)  # fmt: skip
def test_what_goes_wrong_meanwhile_ends_the_wait(
    reservation: Reservation, change: Object, failure: str
) -> None:
    """In upstream's words."""
    objects = Objects(volume("pv"), claim("c"))
    objects.begin(reservation)
    assert objects.finished() == []
    objects.put(change)
    assert objects.finished() == [Finished("p", PREFIX + failure)]
    assert "p" not in objects.binder


def test_a_refused_write_ends_the_wait_at_once() -> None:
    """The volume went to somebody else in between."""
    objects = Objects(volume("pv", claim="d"), claim("c"))
    finished = objects.begin(STATIC)
    assert finished is not None
    assert finished.uid == "p"
    assert "the volume is another claim's" in finished.failure
    assert len(objects.binder) == 0


def test_objects_are_not_judged_before_the_writes_are_answered() -> None:
    """Until then a claim looks as if its provisioning had failed."""
    objects = Objects(claim("c"))
    objects.binder.begin("p", DYNAMIC, 0.0)
    objects.put(claim("c"))
    assert objects.finished() == []
    assert "p" in objects.binder


def test_the_wait_has_a_deadline() -> None:
    """Each pod's own."""
    objects = Objects(claim("c"), claim("d"))
    objects.begin(DYNAMIC, now=0.0)
    objects.begin(Reservation("n1", (), (D,)), "q", now=100.0)
    objects.begin(Reservation("n1", (), (D,)), "r", now=100.0, timeout=30.0)
    assert objects.binder.next_deadline() == 130.0
    late = PREFIX + "context deadline exceeded"
    assert objects.finished(130.0) == [Finished("r", late)]
    assert objects.binder.next_deadline() == 600.0
    assert objects.finished(599.0) == []
    objects.binder.cancel("p")
    assert objects.finished(600.0) == []
    assert objects.binder.next_deadline() == 700.0
    assert objects.finished(700.0) == [Finished("q", late)]


def test_a_node_that_is_gone_ends_the_wait() -> None:
    """There is nothing to be bound for."""
    objects = Objects(claim("c"))
    objects.begin(DYNAMIC)
    objects.finished()
    objects.binder.node_changed("n1")
    failure = PREFIX + 'failed to get node "n1": node "n1" not found'
    assert objects.finished(labels={}) == [Finished("p", failure)]


def test_a_pod_that_is_gone_is_not_waited_for() -> None:
    """And nothing is remembered of it."""
    objects = Objects(volume("pv"), claim("c"))
    objects.begin(STATIC)
    objects.binder.cancel("p")
    objects.put(claim("c", to="pv"))
    assert objects.finished(1000.0) == []
    assert objects.binder.written("p", []) is None
