"""Events: repeated ones are counted, floods are cut, old ones go."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog.testing

from actors.testing import virtual
from orchestrator.store import EventRecorder


@virtual
async def test_an_event_says_who_what_and_when(kit: Any) -> None:
    """In the fields that kubectl reads."""
    async with kit.opened() as store:
        pod = await store.create(kit.pod("a"), resource="pods", namespace="default")
        recorder = EventRecorder(store, "kubelet", "n1")
        recorder.event(pod, "Normal", "Started", "Started container web")
        await asyncio.sleep(1)
        (event,) = store.list("events")
        assert event["involvedObject"] == {
            "kind": "Pod",
            "namespace": "default",
            "name": "a",
            "uid": pod["metadata"]["uid"],
            "apiVersion": "v1",
            "resourceVersion": pod["metadata"]["resourceVersion"],
        }
        assert event["metadata"]["name"].startswith("a.")
        assert event["source"] == {"component": "kubelet", "host": "n1"}
        assert (event["reportingComponent"], event["reportingInstance"]) == ("kubelet", "n1")
        assert (event["type"], event["reason"], event["count"]) == ("Normal", "Started", 1)
        assert event["firstTimestamp"] == event["lastTimestamp"]


@virtual
async def test_an_event_told_late_stands_where_it_belongs(kit: Any) -> None:
    """Events are listed by the time they are about, which may be before they were told."""
    async with kit.opened() as store:
        pod = await store.create(kit.pod("a"), resource="pods", namespace="default")
        recorder = EventRecorder(store, "kubelet", "n1")
        decided = store.clock.now()
        await asyncio.sleep(0.01)
        recorder.event(pod, "Normal", "Started", "Started container web")
        recorder.event(pod, "Normal", "Scheduled", "Successfully assigned", time=decided)
        await asyncio.sleep(1)
        assert [event["reason"] for event in store.list("events")] == ["Scheduled", "Started"]


@virtual
async def test_a_repeated_event_is_counted(kit: Any) -> None:
    """One object, a higher count, a later time; another message is another Event."""
    async with kit.opened() as store:
        pod = await store.create(kit.pod("a"), resource="pods", namespace="default")
        recorder = EventRecorder(store, "kubelet")
        for _ in range(3):
            recorder.event(pod, "Warning", "BackOff", "Back-off restarting")
            await asyncio.sleep(10)
        recorder.event(pod, "Warning", "BackOff", "something else")
        await asyncio.sleep(1)
        counts = {event["message"]: event["count"] for event in store.list("events")}
        assert counts == {"Back-off restarting": 3, "something else": 1}
        first = next(e for e in store.list("events") if e["count"] == 3)
        assert first["firstTimestamp"] < first["lastTimestamp"]


@virtual
async def test_a_flood_about_one_object_is_cut(kit: Any) -> None:
    """25 pass, then one in five minutes; other objects are not affected."""
    async with kit.opened() as store:
        first = await store.create(kit.pod("a"), resource="pods", namespace="default")
        second = await store.create(kit.pod("b"), resource="pods", namespace="default")
        recorder = EventRecorder(store, "kubelet")
        for n in range(100):
            recorder.event(first, "Normal", "Flood", f"number {n}")
        recorder.event(second, "Normal", "Calm", "once")
        await asyncio.sleep(5)
        assert len(store.list("events")) == 26
        await asyncio.sleep(300)
        recorder.event(first, "Normal", "Flood", "one more")
        recorder.event(first, "Normal", "Flood", "and another")
        await asyncio.sleep(5)
        assert len(store.list("events")) == 27


@virtual
async def test_events_expire_after_an_hour(kit: Any) -> None:
    """Counted from the last time they happened; told again, they are new."""
    async with kit.opened() as store:
        pod = await store.create(kit.pod("a"), resource="pods", namespace="default")
        recorder = EventRecorder(store, "kubelet")
        recorder.event(pod, "Normal", "Once", "x")
        recorder.event(pod, "Normal", "Again", "y")
        await asyncio.sleep(1800)
        recorder.event(pod, "Normal", "Again", "y")
        await asyncio.sleep(1900)
        assert [event["reason"] for event in store.list("events")] == ["Again"]
        recorder.event(pod, "Normal", "Once", "x")
        await asyncio.sleep(1)
        assert {event["reason"]: event["count"] for event in store.list("events")} == {
            "Again": 2,
            "Once": 1,
        }


@virtual
async def test_events_never_hold_up_whoever_tells_them(kit: Any) -> None:
    """With too many the oldest are dropped; the teller does not notice."""
    async with kit.opened() as store:
        recorder = EventRecorder(store, "scheduler")
        for n in range(6000):
            involved = {"kind": "Pod", "namespace": "default", "name": f"p{n}", "uid": f"u{n}"}
            recorder.event(involved, "Normal", "Scheduled", "x")
        await asyncio.sleep(30)
        assert 0 < len(store.list("events")) <= 4200


@virtual
async def test_a_burst_of_dropped_events_is_one_line_in_the_log(kit: Any) -> None:
    """Some are dropped with every batch; the line is not repeated for each."""
    with structlog.testing.capture_logs() as lines:
        async with kit.opened() as store:
            recorder = EventRecorder(store, "scheduler")
            for n in range(16_000):
                involved = {"kind": "Pod", "namespace": "default", "name": f"p{n}", "uid": f"u{n}"}
                recorder.event(involved, "Normal", "Scheduled", "x")
                if n % 500 == 0:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(1)
    dropped = [line for line in lines if line["event"] == "events dropped"]
    assert len(dropped) == 1
    assert dropped[0]["count"] > 0


@virtual
async def test_what_happens_to_many_objects_is_told_at_once_and_written_by_and_by(
    kit: Any,
) -> None:
    """Each object has its own Event with its own message, which is made when it is written."""
    async with kit.opened() as store:
        pods = [
            await store.create(kit.pod(f"p{n}"), resource="pods", namespace="default")
            for n in range(120)
        ]
        described = []

        def describe(pod: Any) -> str:
            described.append(pod)
            return f"told of {pod['metadata']['name']}"

        decided = store.clock.now()
        await asyncio.sleep(3)
        EventRecorder(store, "scheduler").event_for_all(
            pods, "Normal", "Scheduled", describe, time=decided
        )
        await asyncio.sleep(0.01)
        assert len(described) == 50
        await asyncio.sleep(1)
        assert described == pods
        told = {e["involvedObject"]["name"]: e["message"] for e in store.list("events")}
        assert told == {f"p{n}": f"told of p{n}" for n in range(120)}
        assert {e["source"]["component"] for e in store.list("events")} == {"scheduler"}
        assert len({e["firstTimestamp"] for e in store.list("events")}) == 1


@virtual
async def test_of_too_many_told_at_once_the_newest_are_kept(kit: Any) -> None:
    """Nothing else is lost with them, and the log says how many were."""
    async with kit.opened() as store:
        pod = await store.create(kit.pod("a"), resource="pods", namespace="default")
        others = [{**pod, "metadata": {**pod["metadata"], "uid": f"u{n}"}} for n in range(5000)]
        recorder = EventRecorder(store, "scheduler")
        with structlog.testing.capture_logs() as lines:
            recorder.event_for_all(
                others, "Normal", "Scheduled", lambda pod: pod["metadata"]["uid"]
            )
            await asyncio.sleep(20)
        written = {event["message"] for event in store.list("events")}
        assert written == {f"u{n}" for n in range(5000 - 4096, 5000)}
        assert [line["count"] for line in lines if line["event"] == "events dropped"] == [904]
