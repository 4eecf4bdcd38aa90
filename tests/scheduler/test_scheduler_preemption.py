"""The scheduler preempts: graceful victims, nominations, budgets, crashes; in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.store import Create, Delete, DeleteOptions, Modify
from tests.scheduler.test_scheduler import Bench, bench, node, pod

EVICTED = ("Normal", "Preempted")


RESOURCES = {
    "Node": "nodes",
    "Pod": "pods",
    "PodDisruptionBudget": "poddisruptionbudgets.policy",
    "PriorityClass": "priorityclasses.scheduling.k8s.io",
}
PRIORITIES = (0, 5, 10, 50, 100, 200)


async def add(b: Bench, *objects: Object) -> None:
    """Create objects one after another; the first call makes the priority classes."""
    if b.store.get(RESOURCES["PriorityClass"], "", "p0") is None:
        objects = (*map(priority_class, PRIORITIES), *objects)
    for item in objects:
        (result,) = await b.store.write([Create(RESOURCES[item["kind"]], item)])
        assert not isinstance(result, StatusError), result
    await asyncio.sleep(0.1)


def priority_class(value: int) -> Object:
    """Make the class that `low` and `high` name."""
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": f"p{value}"},
        "value": value,
    }


def low(name: str, cpu: str = "2", priority: int = 0, **spec: Any) -> Object:
    """Make a pod of low priority that takes its time to go."""
    return high(name, cpu, priority, terminationGracePeriodSeconds=30, **spec)


def high(name: str, cpu: str = "2", priority: int = 100, **spec: Any) -> Object:
    """Make a pod that preempts."""
    return pod(name, cpu, priorityClassName=f"p{priority}", **spec)


async def gone(b: Bench, *names: str) -> None:
    """Let pods be gone, as their node would."""
    for name in names:
        await b.delete("pods", name)


def nominated(b: Bench, name: str) -> str:
    """Return the node that a pod is nominated to."""
    found: str = (b.pod(name).get("status") or {}).get("nominatedNodeName", "")
    return found


def victims(b: Bench) -> list[str]:
    """Return the pods whose removal was reported, sorted."""
    return sorted(name for name, *what, _ in b.recorded.events if tuple(what) == EVICTED)


@virtual
async def test_a_pod_of_lower_priority_goes_gracefully_and_its_place_is_kept() -> None:
    """The victim says why; the preemptor is nominated, waits, and is bound when it is gone."""
    async with bench() as b:
        await add(b, node("n1", cpu="3"), low("victim"))
        await add(b, high("me"))
        victim = b.pod("victim")
        assert victim["metadata"]["deletionGracePeriodSeconds"] == 30
        (condition,) = [
            one for one in victim["status"]["conditions"] if one["type"] == "DisruptionTarget"
        ]
        assert condition["status"] == "True"
        assert condition["reason"] == "PreemptionByScheduler"
        assert condition["message"] == (
            "default-scheduler: preempting to accommodate a higher priority pod"
        )
        uid = b.pod("me")["metadata"]["uid"]
        message = f"Preempted by pod {uid} on node n1"
        assert ("victim", "Normal", "Preempted", message) in b.recorded.events
        assert nominated(b, "me") == "n1"
        assert b.condition("me")["message"] == "0/1 nodes are available: 1 Insufficient cpu."
        await add(b, low("other"))  # may not have the room, then or later
        await asyncio.sleep(25)
        assert b.home("me") is None
        await gone(b, "victim")
        assert b.home("me") == "n1"
        assert nominated(b, "me") == ""
        await asyncio.sleep(400)
        assert b.home("other") is None
        assert victims(b) == ["victim"]


@virtual
async def test_no_more_pods_are_removed_than_needed() -> None:
    """The youngest of the least important ones; the others stay, however often it is tried."""
    async with bench() as b:
        await add(b, node("n1", cpu="4"), *(low(f"low-{i}", "1") for i in range(3)))
        await add(b, high("mid", "1", priority=50))
        await add(b, high("me", "2"))
        going = [name for name in ("low-0", "low-1", "low-2", "mid") if is_deleting(b.pod(name))]
        assert len(going) == 2
        assert "mid" not in going
        await gone(b, going[0])
        await asyncio.sleep(15)
        assert b.home("me") is None
        await gone(b, going[1])
        assert b.home("me") == "n1"
        assert victims(b) == sorted(going)


@virtual
async def test_many_preemptors_go_to_different_nodes_in_one_write() -> None:
    """Each finds the room taken that those before it have claimed."""
    async with bench() as b:
        await add(b, *(node(f"n{i}", cpu="2") for i in range(20)))
        await add(b, *(low(f"low-{i}") for i in range(20)))
        before = b.store.sequence
        await add(b, *(high(f"high-{i}") for i in range(20)))
        await asyncio.sleep(0.1)
        kept = [nominated(b, f"high-{i}") for i in range(20)]
        assert sorted(kept) == sorted(f"n{i}" for i in range(20))
        assert b.store.sequence - before == 20 + 20 + 2 * 20
        await gone(b, *(f"low-{i}" for i in range(20)))
        assert [b.home(f"high-{i}") for i in range(20)] == kept


@virtual
async def test_a_pod_that_never_preempts_waits() -> None:
    """Its policy says so, and so does its message."""
    async with bench() as b:
        await add(b, node("n1", cpu="2"), low("first"))
        meek = {**priority_class(7), "metadata": {"name": "meek"}, "preemptionPolicy": "Never"}
        await add(b, meek, pod("meek", "2", priorityClassName="meek"))
        assert not is_deleting(b.pod("first"))
        assert b.condition("meek")["message"].endswith(
            "preemption: not eligible due to preemptionPolicy=Never."
        )
        await gone(b, "first")
        await asyncio.sleep(15)
        assert b.home("meek") == "n1"


def guarded(name: str, **spec: Any) -> Object:
    """Make a pod that a budget protects."""
    made = low(name, **spec)
    return {**made, "metadata": {**made["metadata"], "labels": {"app": "guarded"}}}


async def protect(b: Bench, allowed: int) -> None:
    """Protect the guarded pods."""
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "budget", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "guarded"}}, "minAvailable": 1},
    }
    await add(b, budget)
    status = {
        "disruptionsAllowed": allowed,
        "currentHealthy": 1,
        "desiredHealthy": 1,
        "expectedPods": 1,
    }
    change = Modify(
        "poddisruptionbudgets.policy",
        "default",
        "budget",
        lambda current: {**current, "status": status},
        "status",
    )
    (result,) = await b.store.write([change])
    assert not isinstance(result, StatusError)
    await asyncio.sleep(0.1)


@virtual
async def test_a_budget_is_kept_where_it_can_be_and_broken_where_it_must() -> None:
    """Best effort, as upstream's: another pod goes, even a more important one; else it goes."""
    async with bench() as b:
        await protect(b, 0)
        await add(b, node("n1", cpu="2"), guarded("guarded"))
        await add(b, node("n2", cpu="2"), low("free", priority=10))
        await add(b, high("first"))
        assert (nominated(b, "first"), victims(b)) == ("n2", ["free"])
        await add(b, high("second"))
        assert (nominated(b, "second"), victims(b)) == ("n1", ["free", "guarded"])


@virtual
async def test_a_more_important_pod_takes_the_kept_place_and_the_other_looks_further() -> None:
    """The first one's nomination ends, and it preempts elsewhere as soon as it can."""
    async with bench() as b:
        await add(b, node("n1", cpu="2"), low("victim"))
        await add(b, node("n2", cpu="2"), low("another", priority=5))
        await add(b, high("first"))
        assert nominated(b, "first") == "n1"
        await add(b, high("second", priority=200))
        assert nominated(b, "second") == "n1"
        assert nominated(b, "first") == "n2"
        assert victims(b) == ["another", "victim"]
        await gone(b, "victim")
        assert b.home("second") == "n1"
        await gone(b, "another")
        assert b.home("first") == "n2"


@virtual
async def test_a_scheduler_that_fails_meanwhile_goes_on_where_it_was() -> None:
    """Nomination and removals are written together: another one keeps the room and waits."""
    async with bench(start=False) as b:
        await add(b, node("n1", cpu="2"), node("n2", cpu="2"))
        b.start()
        await add(b, low("low-1"), low("low-2"))
        await add(b, high("me"))
        where = nominated(b, "me")
        assert where
        first = b.scheduler
        first.context.ref.tell("no such message")  # type: ignore[arg-type] # it fails of this
        await add(b, low("late"))
        assert b.scheduler is not first
        await asyncio.sleep(20)
        assert len(victims(b)) == 1
        assert b.home("late") is None
        await gone(b, *victims(b))
        assert b.home("me") == where
        assert b.home("late") is None


@virtual
async def test_a_nominated_pod_takes_room_elsewhere_when_it_appears() -> None:
    """It does not have to wait for its victims to go."""
    async with bench() as b:
        await add(b, node("n1", cpu="2"), low("victim"))
        await add(b, high("me"))
        assert nominated(b, "me") == "n1"
        await add(b, node("n2", cpu="4"))
        await asyncio.sleep(15)
        assert b.home("me") == "n2"
        await gone(b, "victim")
        await add(b, low("heir"))
        await asyncio.sleep(15)
        assert b.home("heir") == "n1"


@virtual
async def test_room_is_free_again_when_the_preemptor_gives_up() -> None:
    """Deleted before its victims have gone, it leaves the place to others."""
    async with bench() as b:
        await add(b, node("n1", cpu="2"), low("victim"))
        await add(b, high("me"), low("heir"))
        await gone(b, "me")
        await gone(b, "victim")
        await asyncio.sleep(15)
        assert b.home("heir") == "n1"


@virtual
async def test_a_nominated_pod_preempts_again_when_its_node_is_gone() -> None:
    """A place that is no more is not waited for."""
    async with bench() as b:
        await add(b, node("n1", cpu="2"), low("victim"))
        await add(b, node("n2", cpu="2"), low("another", priority=5))
        await add(b, high("me"))
        assert nominated(b, "me") == "n1"
        await b.delete("nodes", "n1")
        await asyncio.sleep(15)
        assert nominated(b, "me") == "n2"
        assert victims(b) == ["another", "victim"]


@virtual
async def test_a_victim_that_will_not_go_is_waited_for_and_nobody_else_is_removed() -> None:
    """However long it takes, and whatever else happens on the node."""
    async with bench() as b:
        await add(b, node("n1", cpu="4"), low("victim", "2"), low("stays", "1"))
        await add(b, high("me", "4"))
        assert victims(b) == ["stays", "victim"]
        await gone(b, "stays")
        for _ in range(5):
            await add(b, low("bystander", "1"))
            await asyncio.sleep(100)
            await gone(b, "bystander")
        assert b.home("me") is None
        assert victims(b) == ["stays", "victim"]
        await gone(b, "victim")
        assert b.home("me") == "n1"


@pytest.mark.parametrize("number", [300])
@virtual
async def test_a_storm_of_preemptors_costs_one_attempt_each(number: int) -> None:
    """Not one for every victim that goes: they are tried again when it is their turn."""
    async with bench() as b:
        await add(b, *(node(f"n{i}", cpu="2") for i in range(number)))
        operations = [Create("pods", low(f"low-{i}", "1")) for i in range(2 * number)]
        await b.store.write(operations)
        await asyncio.sleep(1)
        await b.store.write([Create("pods", high(f"high-{i}")) for i in range(number)])
        await asyncio.sleep(1)
        assert len(victims(b)) == 2 * number
        for i in range(0, 2 * number, 50):
            await b.store.write(
                [
                    Delete("pods", "default", f"low-{j}", DeleteOptions(grace_period_seconds=0))
                    for j in range(i, i + 50)
                ]
            )
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        assert {b.home(f"high-{i}") for i in range(number)} == {f"n{i}" for i in range(number)}
        assert b.scheduler.statistics().rejected <= 2 * number


class Reluctant:
    """A store that refuses evictions, or does not answer, a number of times."""

    def __init__(self, store: Any, times: int, *, silent: bool) -> None:
        self.store = store
        self.times = times
        self.silent = silent

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def write(self, operations: Any, **_: Any) -> Any:
        if not any(isinstance(one, Delete) for one in operations) or self.times <= 0:
            return await self.store.write(operations)
        self.times -= 1
        if self.silent:
            raise StatusError(503, "ServiceUnavailable", "no answer")
        refusal = StatusError(403, "Forbidden", "not now")
        others = [one for one in operations if not isinstance(one, Delete)]
        answers = iter(await self.store.write(others))
        return [refusal if isinstance(one, Delete) else next(answers) for one in operations]


@pytest.mark.parametrize("silent", [False, True])
@virtual
async def test_victims_that_the_store_will_not_remove_are_asked_for_again(silent: bool) -> None:
    """The preemptor is not left waiting for pods that nobody has told to go."""
    async with bench(start=False) as b:
        reluctant = Reluctant(b.store, 2, silent=silent)
        b.store = reluctant  # type: ignore[assignment] # a double
        b.start()
        await add(b, node("n1", cpu="2"), low("victim"))
        await add(b, high("me"))
        await asyncio.sleep(30)
        assert reluctant.times == 0
        assert is_deleting(b.pod("victim"))
        assert victims(b) == ["victim"]
        await gone(b, "victim")
        assert b.home("me") == "n1"
