"""Seats for requests: who gets one, who waits, who is told to come back."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.api._flow_control import WAIT_SECONDS, FlowControl, Seat, hand_of
from orchestrator.resources.errors import StatusError
from orchestrator.resources.flowcontrol import FlowRequest
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.resources.users import User
from orchestrator.store import Store
from tests.api.conftest import TOKEN

LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io"
LIST = FlowRequest("list", "", "pods", "default")
GROUPS = ("system:authenticated",)


def level(name: str, shares: int, response: dict[str, Any]) -> Object:
    """A limited level that borrows nothing."""
    limited = {
        "nominalConcurrencyShares": shares,
        "limitResponse": response,
        "borrowingLimitPercent": 0,
    }
    return {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": name},
        "spec": {"type": "Limited", "limited": limited},
    }


def schema(name: str, group: str, level_name: str) -> Object:
    """A schema for all requests of a group, with a flow for each user."""
    subjects = [{"kind": "Group", "group": {"name": group}}]
    rule = {
        "verbs": ["*"],
        "apiGroups": ["*"],
        "resources": ["*"],
        "clusterScope": True,
        "namespaces": ["*"],
    }
    return {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": name},
        "spec": {
            "priorityLevelConfiguration": {"name": level_name},
            "matchingPrecedence": 10,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [{"subjects": subjects, "resourceRules": [rule]}],
        },
    }


QUEUING = {
    "type": "Queue",
    "queuing": {"queues": 16, "handSize": 2, "queueLengthLimit": 3},
}


async def narrow(store: Store, response: dict[str, Any]) -> None:
    """Make a level of one seat for a group."""
    await store.create(level("narrow", 1, response), resource=LEVELS)
    await store.create(level("wide", 9999, {"type": "Reject"}), resource=LEVELS)
    await store.create(schema("narrow", "few", "narrow"), resource=SCHEMAS)


def user(name: str) -> User:
    """One of the group."""
    return User(name, groups=("few", *GROUPS))


async def taken(flows: FlowControl, name: str, order: list[str]) -> None:
    """Get a seat, note who, and leave at once."""
    seat = await flows.enter(user(name), LIST)
    order.append(name)
    seat.leave()


@virtual
async def test_a_level_without_queues_refuses_what_finds_no_seat() -> None:
    """With 429 and when to come back."""
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        await narrow(store, {"type": "Reject"})
        flows = FlowControl(store, 100)
        seat = await flows.enter(user("a"), LIST)
        with pytest.raises(StatusError) as refused:
            await flows.enter(user("b"), LIST)
        assert (refused.value.code, refused.value.details) == (429, {"retryAfterSeconds": 1})
        seat.leave()
        assert isinstance(await flows.enter(user("b"), LIST), Seat)
        flows.close()


@virtual
async def test_flows_take_turns() -> None:
    """One with many requests does not keep out one with a single one."""
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        await narrow(store, QUEUING)
        flows = FlowControl(store, 100)
        seat = await flows.enter(user("first"), LIST)
        order: list[str] = []
        names = ["greedy"] * 4 + ["modest"]
        tasks = [asyncio.create_task(taken(flows, name, order)) for name in names]
        await asyncio.sleep(0.1)
        assert order == []
        seat.leave()
        await asyncio.gather(*tasks)
        assert sorted(order) == sorted(names)
        assert order.index("modest") < 3
        assert flows.seated == 0
        flows.close()


@virtual
async def test_a_queue_is_bounded_and_so_is_a_wait() -> None:
    """What does not fit is refused at once, what waits too long in the end."""
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        await narrow(store, QUEUING)
        flows = FlowControl(store, 100)
        seat = await flows.enter(user("first"), LIST)
        order: list[str] = []
        tasks = [asyncio.create_task(taken(flows, "greedy", order)) for _ in range(10)]
        await asyncio.sleep(0.1)
        # Two queues of three are one flow's hand.
        assert sum(task.done() for task in tasks) == 4
        await asyncio.sleep(WAIT_SECONDS)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [getattr(result, "code", 0) for result in results] == [429] * 10
        (room,) = [room for room in flows.rooms() if room.level.name == "narrow"]
        assert (room.refused, room.waiting, room.seated) == (10, 0, 1)
        seat.leave()
        assert flows.seated == 0
        flows.close()


@virtual
async def test_a_client_that_leaves_gives_its_place_up() -> None:
    """Whether it still waits, or has just been called."""
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        await narrow(store, QUEUING)
        flows = FlowControl(store, 100)
        seat = await flows.enter(user("first"), LIST)
        order: list[str] = []
        waits = asyncio.create_task(taken(flows, "waits", order))
        called = asyncio.create_task(taken(flows, "called", order))
        last = asyncio.create_task(taken(flows, "last", order))
        await asyncio.sleep(0.1)
        waits.cancel()
        await asyncio.sleep(0.1)
        seat.leave()
        called.cancel()
        await asyncio.gather(waits, called, last, return_exceptions=True)
        assert order == ["last"]
        assert flows.seated == 0
        flows.close()


def test_a_hand_is_always_the_same_and_has_no_queue_twice() -> None:
    """Two flows share few queues."""
    assert hand_of("a", 64, 6) == hand_of("a", 64, 6)
    assert len(set(hand_of("a", 64, 6))) == 6
    assert hand_of("a", 64, 6) != hand_of("b", 64, 6)
    assert len(hand_of("a", 2, 6)) == 2


async def test_the_api_answers_429_and_counts_it(store: Store) -> None:
    """The administrator is never kept waiting; metrics tell of it all."""
    app = ApiApplication(store, ApiConfig(token=TOKEN, authorization="AlwaysAllow"))
    transport = httpx.ASGITransport(app=app)
    admin = {"authorization": f"Bearer {TOKEN}"}
    path = "/api/v1/namespaces/default/configmaps"
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        await narrow(store, {"type": "Reject"})
        headers = {**admin, "impersonate-user": "jane", "impersonate-group": "few"}
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-kubernetes-pf-prioritylevel-uid"]
        seat = await app._flows.enter(user("x"), LIST)
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert (await client.get(path, headers=admin)).status_code == 200
        seat.leave()
        text = (await client.get("/metrics", headers=admin)).text
        assert 'apiserver_flowcontrol_rejected_requests_total{priority_level="narrow"} 1.0' in text
        assert (
            'apiserver_request_total{code="429",component="apiserver",dry_run="",group="",'
            'resource="configmaps",scope="namespace",subresource="",verb="LIST",version="v1"} 1.0'
        ) in text
        assert 'apiserver_storage_objects{resource="namespaces"} 4.0' in text
    app.close()
