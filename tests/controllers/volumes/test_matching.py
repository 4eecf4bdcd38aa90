"""Which volume is for whom: the pure decisions, as tables.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
"""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.controllers.volumes.demands import Demand, Demands
from orchestrator.controllers.volumes.facts import ClaimKey
from orchestrator.controllers.volumes.matching import Shelves, choose, free_fits, why_not
from orchestrator.controllers.volumes.offers import Offers
from tests.controllers.volumes.storage import claim, volume


def free(name: str = "v", size: str = "1Gi", modes: str = "RWO", **spec: Any) -> Any:
    """A volume that is available."""
    return {**volume(name, size, modes, **spec), "status": {"phase": "Available"}}


@pytest.mark.parametrize(
    ("offered", "asked", "why"),
    [
        (volume(size="2Gi"), claim(size="1Gi"), None),
        (volume(size="1Gi"), claim(size="1073741825"), "requested PV is too small"),
        (volume(storageClassName="a"), claim(), "storageClassName does not match"),
        (
            volume(metadata={"annotations": {"volume.beta.kubernetes.io/storage-class": "a"}}),
            claim(storageClassName="a"),
            None,
        ),
        (
            volume(volumeAttributesClassName="gold"),
            claim(),
            "volumeAttributesClassName does not match",
        ),
        (volume(volumeMode="Block"), claim(), "incompatible volumeMode"),
        (volume(), claim(volumeMode="Filesystem"), None),
        (volume(modes="RWO"), claim(modes="RWX"), "incompatible accessMode"),
        (volume(modes="RWO,RWX"), claim(modes="RWX"), None),
        (volume(modes="RWO"), claim(modes="RWOP"), "incompatible accessMode"),
    ],
)
def test_a_volume_has_to_satisfy_its_claim(offered: Any, asked: Any, why: str | None) -> None:
    """In size, class, attributes, mode and access, with upstream's words for what is wrong."""
    assert why_not(offered, asked) == why


@pytest.mark.parametrize(
    ("asked", "volumes", "chosen"),
    [
        (claim(size="2Gi"), [free("a", "5Gi"), free("b", "3Gi"), free("c", "1Gi")], "b"),
        (claim(), [free("b"), free("a")], "a"),
        # Exactly what was asked for comes before what can do more, even if that is smaller.
        (claim(), [free("many", "1Gi", "RWO,RWX"), free("one", "9Gi")], "one"),
        (claim(), [volume("pending")], None),
        (claim(), [free("other", claimRef={"namespace": "default", "name": "x"})], None),
        (claim(), [free("going", metadata={"deletionTimestamp": "x"})], None),
        (
            claim(selector={"matchLabels": {"disk": "fast"}}),
            [free("a"), free("b", metadata={"labels": {"disk": "fast"}})],
            "b",
        ),
        (claim(storageClassName=""), [free("a", storageClassName="x"), free("b")], "b"),
    ],
)
def test_the_smallest_that_fits_is_chosen(asked: Any, volumes: Any, chosen: str | None) -> None:
    """Among those that are free; nothing that is somebody's or goes."""
    shelves = Shelves()
    known = {each["metadata"]["name"]: each for each in volumes}
    for each in volumes:
        shelves.put(each)
    found = choose(asked, (), shelves, known.get, delayed=False)
    assert (found and found["metadata"]["name"]) == chosen
    assert choose(asked, (), shelves, known.get, delayed=True) is None


def test_what_was_given_away_since_is_not_taken_from_the_shelf() -> None:
    """The shelf may be behind: what the scheduler gave to another claim is another's."""
    shelves = Shelves()
    shelves.put(free("v"))
    given = free("v", claimRef={"namespace": "default", "name": "other", "uid": "1"})
    assert choose(claim(), (), shelves, {"v": given}.get, delayed=False) is None


@pytest.mark.parametrize("late", [False, True])
def test_a_reserved_volume_comes_first(late: bool) -> None:
    """Also for a claim that waits for its pod, and whatever its class; if it is large enough."""
    mine = free("mine", "3Gi", claimRef={"namespace": "default", "name": "c"})
    small = free("small", "1Mi", claimRef={"namespace": "default", "name": "c"})
    shelves = Shelves()
    shelves.put(free("free"))
    found = choose(claim(), [small, mine], shelves, lambda _: None, delayed=late)
    assert found is mine


def test_volumes_are_offered_to_one_claim_each() -> None:
    """A claim that looks already is not pointed to more; what it leaves goes to the next."""
    offers = Offers()
    one, two = ClaimKey("d", "one"), ClaimKey("d", "two")
    demand = Demand.of(claim(storageClassName="x"))
    given = free(storageClassName="x")
    offers.wait(one, demand)
    offers.wait(two, demand)
    assert list(offers.candidates(given)) == [one, two]
    offers.offer("v", one)
    assert list(offers.candidates(given)) == [two]
    offers.take("w", one)
    assert offers.answer(one) == ["v"]
    assert list(offers.candidates(given)) == [two]
    assert offers.is_taken("w")
    offers.settle(one)
    assert offers.answer(one) == ["w"]
    assert list(offers.candidates(given)) == [two, one]
    offers.leave(two)
    assert offers.of("x") == [one]
    offers.leave(one)
    assert offers.of("x") == []


@pytest.mark.parametrize(
    ("wish", "given", "met"),
    [
        ({}, {}, True),
        ({"size": "2Gi"}, {"size": "1Gi"}, False),
        ({"size": "1Gi"}, {"size": "2Gi"}, True),
        ({"modes": "RWO"}, {"modes": "RWO,RWX"}, True),
        ({"modes": "RWO,RWX"}, {"modes": "RWO"}, False),
        ({"storageClassName": "x"}, {}, False),
        ({"volumeMode": "Block"}, {}, False),
        ({"volumeMode": "Filesystem"}, {}, True),
        ({"volumeAttributesClassName": "gold"}, {}, False),
        ({"selector": {"matchLabels": {"a": "b"}}}, {}, False),
        ({"selector": {"matchLabels": {"a": "b"}}}, {"metadata": {"labels": {"a": "b"}}}, True),
    ],
)
def test_a_volume_finds_the_claims_that_it_would_do_for(wish: Any, given: Any, met: bool) -> None:
    """The index and the rule for one pair agree.

    https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
    """
    demands, key = Demands(), ClaimKey("d", "c")
    demand = Demand.of(claim(**wish))
    demands.add(key, demand)
    offered = free(**given)
    assert free_fits(offered, claim(**wish)) is met
    assert list(demands.met_by(offered)) == ([key] if met else [])
    demands.discard(key, demand)
    assert list(demands.met_by(offered)) == []


def test_a_volume_goes_to_who_needs_most_of_it_and_never_looks_at_who_needs_more() -> None:
    """Among thousands that it is too small for, those that it would do for are found at once."""
    demands = Demands()
    for at in range(2000):
        demands.add(ClaimKey("d", f"large-{at}"), Demand.of(claim(size=f"{100 + at}Gi")))
    for size in (1, 3, 2):
        demands.add(ClaimKey("d", f"small-{size}"), Demand.of(claim(size=f"{size}Gi")))
    found = [key.name for key in demands.met_by(free(size="3Gi"))]
    assert found == ["small-3", "small-2", "small-1"]
