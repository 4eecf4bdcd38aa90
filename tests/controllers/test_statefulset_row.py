"""The row of a StatefulSet's pods: what it keeps is what a walk over all of them would find.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.statefulset import StatefulSetController, census, roster
from orchestrator.controllers.statefulset.census import Member
from orchestrator.controllers.statefulset.ordinals import Ordinals
from orchestrator.controllers.statefulset.row import Row, Terms

RESOURCE = "statefulsets.apps"


def test_gaps_are_what_is_not_there() -> None:
    """Whatever the runs, the numbers between them come in order."""
    chance = Random(1)
    for _ in range(300):
        size = chance.randrange(12)
        present = {number for number in range(3, 3 + size) if chance.random() < 0.7}
        ordinals = Ordinals()
        for number in chance.sample(sorted(present), len(present)):
            ordinals.add(number)
            ordinals.add(number)
        assert list(ordinals) == sorted(present)
        missing = [number for number in range(3, 3 + size) if number not in present]
        assert list(ordinals.gaps(3, 3 + size)) == missing


def test_the_first_gap_of_the_largest_set_is_found_at_once() -> None:
    """Any number of replicas that is valid may be asked for."""
    ordinals = Ordinals()
    for number in range(1000):
        ordinals.add(number)
    assert next(ordinals.gaps(0, 2**31 - 1)) == 1000


def _member(chance: Random, ordinal: int, now: float) -> Member:
    ready = chance.random() < 0.7
    return Member(
        pod={"metadata": {"name": f"web-{ordinal}"}},
        ordinal=ordinal,
        matches=True,
        phase=chance.choice(("", "Running")) if not ready else "Running",
        ended=False,
        terminating=chance.random() < 0.2,
        since=now - chance.choice((0, 1, 2, 5)) if ready else None,
        revision=chance.choice("ab"),
        named=chance.random() < 0.8,
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_row_agrees_with_a_walk_over_its_pods(seed: int) -> None:
    """After any changes, in any order, and as time passes."""
    chance = Random(seed)
    terms = Terms(2, 6, chance.choice((0, 3)))
    row = Row(terms, lambda member, _: member.named)
    pods: dict[int, Member] = {}
    now = 100.0
    for _ in range(120):
        now += chance.choice((0, 0, 1))
        ordinal = chance.randrange(11)
        if chance.random() < 0.3:
            pods.pop(ordinal, None)
            row.drop(ordinal)
        else:
            pods[ordinal] = _member(chance, ordinal, now)
            row.put(pods[ordinal], now)
        row.ripen(now)
        _compare(row, pods, now)


def _compare(row: Row, pods: dict[int, Member], now: float) -> None:
    terms = row.terms

    def lost(one: Member) -> bool:
        return one.terminating or not one.is_available(terms.seconds, now)

    inside = [pods[at] for at in sorted(pods) if terms.start <= at < terms.end]
    outside = [pods[at] for at in sorted(pods, reverse=True) if not terms.start <= at < terms.end]
    made = [one for one in pods.values() if one.phase]
    assert row.unsettled() == [one for one in inside if lost(one) or not one.named]
    assert row.missing == terms.size - len(inside)
    assert list(row.gaps()) == [at for at in range(terms.start, terms.end) if at not in pods]
    assert list(row.condemned()) == outside
    assert row.misfits() == [one for one in outside if not one.named]
    assert row.first_weak() == next((one for one in reversed(outside) if lost(one)), None)
    assert list(row.outdated("a", 4)) == [
        one for one in reversed(inside) if one.revision != "a" and one.ordinal >= 4
    ]
    assert sorted(row.revisions()) == sorted({one.revision for one in pods.values()})
    assert row.counts("a", "b") == (
        len(made),
        sum(one.ready for one in made),
        sum(one.is_available(terms.seconds, now) for one in made),
        sum(one.revision == "a" and not one.terminating for one in made),
        sum(one.revision == "b" and not one.terminating for one in made),
    )
    waits = [one.since + terms.seconds - now for one in made if one.since is not None]
    assert row.next_available(now) == min((wait for wait in waits if wait > 0), default=None)


@virtual
@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
async def test_a_look_judges_the_pods_that_changed_and_no_others(
    worlds: Any, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """A set's cost grows with its pods, not with their square; nor does an event cost a walk."""
    judged = 0
    judge = census.judge

    def counting(*arguments: Any) -> Member:
        nonlocal judged
        judged += 1
        return judge(*arguments)

    monkeypatch.setattr(roster, "judge", counting)
    async with worlds.world() as world:
        world.start(StatefulSetController)
        spec = {
            "replicas": 120,
            "podManagementPolicy": policy,
            "selector": {"matchLabels": {"app": "web"}},
            "template": worlds.template({"app": "web"}),
        }
        metadata = {"name": "web", "namespace": "default"}
        await world.create(
            RESOURCE,
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec},
        )
        await world.settle(300)
        status = world.store.get(RESOURCE, "default", "web")["status"]
        assert status["availableReplicas"] == 120
        assert judged <= 120 * 5
        judged = 0

        def larger(stateful_set: Any) -> Any:
            return {**stateful_set, "spec": {**stateful_set["spec"], "replicas": 121}}

        await world.store.modify(RESOURCE, "default", "web", larger)
        await world.settle(10)
        assert world.store.get("pods", "default", "web-120") is not None
        assert judged <= 5
