"""Followers, watches and lists: who sees what, from where."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import with_meta
from orchestrator.resources.selectors import parse_field_selector, parse_label_selector
from orchestrator.store import Create, Delete, Expired, Modify, WindowLimits


def labelled(kit: Any, name: str, **labels: str) -> Any:
    """A ConfigMap with labels."""
    return with_meta(kit.config_map(name), labels=labels)


def relabel(name: str, **labels: str) -> Modify:
    """Replace the labels."""
    return Modify("configmaps", "default", name, lambda obj: with_meta(obj, labels=labels))


@virtual
async def test_a_follower_is_told_once_until_it_takes(kit: Any) -> None:
    """And then sees everything, in log order."""
    async with kit.opened() as store:
        told: list[int] = []
        follower = store.follow(["configmaps", "pods"], lambda: told.append(1))
        await store.write([Create("configmaps", kit.config_map("a"))])
        await store.write([Create("pods", kit.pod("p")), Create("configmaps", kit.config_map("b"))])
        assert len(told) == 1
        events = follower.take()
        assert [event.key.name for event in events] == ["a", "p", "b"]
        assert [event.sequence for event in events] == sorted(event.sequence for event in events)
        assert follower.take() == []
        await store.write([Create("services", kit.service("s"))])
        assert len(told) == 1
        follower.close()
        await store.write([Create("pods", kit.pod("q"))])
        assert len(told) == 1


@virtual
async def test_taking_a_part_leaves_the_rest(kit: Any) -> None:
    """The follower is told again about what is left, and misses nothing."""
    async with kit.opened() as store:
        told: list[int] = []
        follower = store.follow(["configmaps", "pods"], lambda: told.append(1))
        await store.write(
            [
                operation
                for n in range(5)
                for operation in (
                    Create("configmaps", kit.config_map(f"c{n}")),
                    Create("pods", kit.pod(f"p{n}")),
                )
            ]
        )
        seen = []
        while events := follower.take(3):
            assert len(events) <= 3
            seen += [event.key.name for event in events]
        assert seen == [f"{kind}{n}" for n in range(5) for kind in "cp"]


@virtual
async def test_a_follower_that_stays_away_has_to_list_again(kit: Any) -> None:
    """The window does not grow for it."""
    async with kit.opened(limits=WindowLimits(events=50)) as store:
        follower = store.follow(["configmaps"], lambda: None)
        for n in range(20):
            await store.write(
                [Create("configmaps", kit.config_map(f"c{n}-{m}")) for m in range(10)]
            )
        assert store.statistics().window <= 50
        with pytest.raises(Expired, match=r"too old resource version: \d+ \(\d+\)"):
            follower.take()
        follower.restart(store.sequence)
        assert follower.take() == []


@virtual
async def test_the_window_keeps_five_minutes(kit: Any) -> None:
    """Older versions are gone with the next write."""
    async with kit.opened() as store:
        await store.write([Create("configmaps", kit.config_map("a"))])
        since = store.sequence
        await store.write([Create("configmaps", kit.config_map("b"))])
        await asyncio.sleep(299)
        store.follow(["configmaps"], lambda: None, after=since).close()
        await asyncio.sleep(2)
        await store.write([Create("configmaps", kit.config_map("c"))])
        with pytest.raises(Expired):
            store.follow(["configmaps"], lambda: None, after=since)


@virtual
async def test_a_selector_turns_changes_into_additions_and_deletions(kit: Any) -> None:
    """By comparing with the object before."""
    async with kit.opened() as store:
        watch = store.watch(
            "configmaps", "default", after=store.sequence, labels=parse_label_selector("app=web")
        )
        await store.write(
            [
                Create("configmaps", labelled(kit, "a", app="web")),
                Create("configmaps", labelled(kit, "b", app="db")),
                relabel("a", app="web", more="x"),
                relabel("a", app="db"),
                relabel("b", app="web"),
                Delete("configmaps", "default", "b"),
                Delete("configmaps", "default", "a"),
            ]
        )
        seen = [(event.type, event.object["metadata"]["name"]) for event in await watch.batch()]
        assert seen == [
            ("ADDED", "a"),
            ("MODIFIED", "a"),
            ("DELETED", "a"),
            ("ADDED", "b"),
            ("DELETED", "b"),
        ]


@virtual
async def test_an_object_that_leaves_the_selection_is_shown_as_it_was(kit: Any) -> None:
    """Its last matching state, at the version of the change."""
    async with kit.opened() as store:
        await store.write([Create("configmaps", labelled(kit, "a", app="web"))])
        watch = store.watch(
            "configmaps", after=store.sequence, labels=parse_label_selector("app=web")
        )
        await store.write([relabel("a", app="db")])
        event = await anext(watch)
        assert event.type == "DELETED"
        assert event.object["metadata"]["labels"] == {"app": "web"}
        assert event.object["metadata"]["resourceVersion"] == str(store.sequence)


@virtual
async def test_a_watch_without_a_version_begins_with_what_there_is(kit: Any) -> None:
    """Present objects come as ADDED, later ones as they happen."""
    async with kit.opened() as store:
        await store.write([Create("configmaps", kit.config_map(name)) for name in "ba"])
        watch = store.watch("configmaps", fields=parse_field_selector("metadata.name!=b"))
        assert (await anext(watch)).object["metadata"]["name"] == "a"
        waiting = asyncio.create_task(anext(watch))
        await asyncio.sleep(1)
        await store.write([Create("configmaps", kit.config_map("c"))])
        assert (await waiting).object["metadata"]["name"] == "c"


@virtual
async def test_a_watch_list_says_where_the_present_ends(kit: Any) -> None:
    """With an annotated bookmark at the version of the list."""
    async with kit.opened() as store:
        await store.write([Create("configmaps", kit.config_map("a"))])
        watch = store.watch("configmaps", send_initial_events=True, bookmarks=True)
        assert (await anext(watch)).type == "ADDED"
        mark = await anext(watch)
        assert mark.type == "BOOKMARK"
        assert mark.object == {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {
                "resourceVersion": str(store.sequence),
                "creationTimestamp": None,
                "annotations": {"k8s.io/initial-events-end": "true"},
            },
        }


@virtual
async def test_bookmarks_come_once_a_minute_and_the_watch_ends_in_time(kit: Any) -> None:
    """They carry the version up to which nothing was missed, also of other resources."""
    async with kit.opened() as store:
        watch = store.watch("configmaps", after=store.sequence, bookmarks=True, timeout=150)
        await store.write([Create("pods", kit.pod("p"))])
        sequence = store.sequence
        events = [event async for event in watch]
        assert [event.type for event in events] == ["BOOKMARK", "BOOKMARK"]
        assert events[0].object["metadata"]["resourceVersion"] == str(sequence)


@virtual
async def test_a_watch_from_before_the_window_gets_an_error_event(kit: Any) -> None:
    """A 410 Status, and then the end."""
    async with kit.opened(limits=WindowLimits(events=5)) as store:
        for n in range(10):
            await store.write([Create("configmaps", kit.config_map(f"c{n}"))])
        events = [event async for event in store.watch("configmaps", after=5)]
        assert [event.type for event in events] == ["ERROR"]
        assert (events[0].object["code"], events[0].object["reason"]) == (410, "Expired")


@virtual
async def test_an_event_is_encoded_once_for_all(kit: Any) -> None:
    """Watchers share the bytes."""
    async with kit.opened() as store:
        first, second = (store.follow(["configmaps"], lambda: None) for _ in range(2))
        await store.write([Create("configmaps", kit.config_map("a"))])
        (one,), (other,) = first.take(), second.take()
        assert one.json() is other.json()
        assert orjson.loads(one.json()) == store.get("configmaps", "default", "a")


@virtual
async def test_pages_show_one_version_while_objects_change(kit: Any) -> None:
    """What was created, changed or deleted between two pages does not show."""
    async with kit.opened() as store:
        await store.write([Create("configmaps", kit.config_map(f"c{n}", v="1")) for n in range(5)])
        sequence = store.sequence
        page = store.list_page("configmaps", limit=2)
        assert (page.sequence, page.remaining) == (sequence, 3)
        await store.write(
            [
                Delete("configmaps", "default", "c2"),
                Create("configmaps", kit.config_map("c2a")),
                Modify("configmaps", "default", "c4", lambda obj: {**obj, "data": {"v": "2"}}),
            ]
        )
        names, items = [], list(page.items)
        while page.continue_:
            page = store.list_page("configmaps", limit=2, continue_=page.continue_)
            assert page.sequence == sequence
            items += page.items
        names = [item["metadata"]["name"] for item in items]
        assert names == [f"c{n}" for n in range(5)]
        assert items[4]["data"] == {"v": "1"}
        exact = store.list_page("configmaps", resource_version=str(sequence), match="Exact")
        assert exact.items == items
        newer = store.list_page("configmaps", resource_version=str(sequence))
        assert newer.sequence == store.sequence


@virtual
async def test_lists_are_sorted_by_namespace_and_name(kit: Any) -> None:
    """Whatever the order of creation, also after deletions."""
    async with kit.opened() as store:
        for name in ("d", "b", "a", "c"):
            for namespace in ("kube-system", "default"):
                await store.write([Create("configmaps", kit.config_map(name, namespace))])
        await store.write([Delete("configmaps", "default", "b")])
        await store.write([Create("configmaps", kit.config_map("b"))])
        found = [
            (o["metadata"]["namespace"], o["metadata"]["name"]) for o in store.list("configmaps")
        ]
        assert found == [(ns, name) for ns in ("default", "kube-system") for name in "abcd"]
        assert len(store.list("configmaps", "default")) == 4


@virtual
async def test_versions_out_of_reach_are_refused(kit: Any) -> None:
    """The past beyond the window with 410, the future with 504, nonsense with 400."""
    async with kit.opened(limits=WindowLimits(events=5)) as store:
        for n in range(10):
            await store.write([Create("configmaps", kit.config_map(f"c{n}"))])
        codes = []
        for arguments in (
            {"resource_version": "5", "match": "Exact"},
            {"resource_version": "10000"},
            {"resource_version": "x"},
            {"continue_": "nonsense"},
        ):
            with pytest.raises(StatusError) as refused:
                store.list_page("configmaps", **arguments)
            codes.append(refused.value.code)
        assert codes == [410, 504, 400, 400]
        with pytest.raises(StatusError, match="Too large resource version"):
            await store.wait_sequence(10_000)


@virtual
async def test_a_version_that_is_about_to_come_is_waited_for(kit: Any) -> None:
    """Upstream has three seconds of patience."""
    async with kit.opened() as store:
        waiting = asyncio.create_task(store.wait_sequence(store.sequence + 1))
        await asyncio.sleep(1)
        await store.write([Create("leases.coordination.k8s.io", _lease())])
        await asyncio.wait_for(waiting, 1)


def _lease() -> Any:
    metadata = {"name": "l", "namespace": "default"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}


@virtual
async def test_owners_and_nodes_are_indexed(kit: Any) -> None:
    """The indexes follow creation, change and deletion."""
    async with kit.opened() as store:
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u1"}
        await store.write([Create("pods", with_meta(kit.pod("p"), ownerReferences=[owner]))])
        assert [o["metadata"]["name"] for o in store.by_owner("u1", "pods")] == ["p"]
        assert store.by_node("n1") == []
        bind = Modify(
            "pods",
            "default",
            "p",
            lambda obj: {**obj, "spec": {**obj["spec"], "nodeName": "n1"}},
            "binding",
        )
        await store.write([bind])
        assert [o["metadata"]["name"] for o in store.by_node("n1")] == ["p"]
        release = Modify("pods", "default", "p", lambda obj: with_meta(obj, ownerReferences=None))
        await store.write([release])
        assert store.by_owner("u1") == []
