"""Watches of ConfigMaps: what is told, from when on, and in which order."""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from tests.conformance.cluster import Api, served

MAPS = "/api/v1/namespaces/default/configmaps"
LABEL = "watch-this-configmap"
A, B = f"labelSelector={LABEL}=a", f"labelSelector={LABEL}=b"
BOTH = f"labelSelector={LABEL}+in+(a,b)"


def labelled(name: str, value: str, **data: str) -> dict[str, Any]:
    """A ConfigMap with the label that is watched."""
    return {"metadata": {"name": name, "labels": {LABEL: value}}, "data": data}


async def mutate(api: Api, name: str, number: int) -> dict[str, Any]:
    """Change a ConfigMap's data."""
    changed: dict[str, Any] = await api.patch(f"{MAPS}/{name}", {"data": {"mutation": str(number)}})
    return changed


@virtual
async def test_watchers_see_what_their_selector_names() -> None:
    """Upstream: watch-configmaps-with-multiple-watchers."""
    async with (
        served(nodes=0) as api,
        api.watching(f"{MAPS}?{A}") as first,
        api.watching(f"{MAPS}?{B}") as second,
        api.watching(f"{MAPS}?{BOTH}") as either,
    ):
        await api.create(MAPS, labelled("a", "a"))
        await mutate(api, "a", 1)
        await mutate(api, "a", 2)
        await api.delete(f"{MAPS}/a")
        await first.count(4)
        await either.count(4)
        assert not second.events
        await api.create(MAPS, labelled("b", "b"))
        await api.delete(f"{MAPS}/b")
        await second.count(2)
        await either.count(6)
        assert first.types == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
        assert second.types == ["ADDED", "DELETED"]
        assert either.types == [*first.types, *second.types]
        told = [event["object"].get("data") or None for event in first.events]
        assert told == [None, {"mutation": "1"}, {"mutation": "2"}, {"mutation": "2"}]


@virtual
async def test_a_watch_begins_after_the_version_it_names() -> None:
    """Upstream: watch-configmaps-from-resource-version."""
    async with served(nodes=0) as api:
        await api.create(MAPS, labelled("a", "a"))
        version = (await mutate(api, "a", 1))["metadata"]["resourceVersion"]
        await mutate(api, "a", 2)
        await api.delete(f"{MAPS}/a")
        async with api.watching(f"{MAPS}?{A}&resourceVersion={version}") as watch:
            await watch.count(2)
            assert watch.types == ["MODIFIED", "DELETED"]
            assert watch.events[0]["object"]["data"] == {"mutation": "2"}


@virtual
async def test_a_watch_goes_on_where_the_last_one_ended() -> None:
    """Upstream: watch-configmaps-closed-and-restarted."""
    async with served(nodes=0) as api:
        async with api.watching(f"{MAPS}?{A}") as watch:
            await api.create(MAPS, labelled("a", "a"))
            await mutate(api, "a", 1)
            await watch.count(2)
        await mutate(api, "a", 2)
        async with api.watching(f"{MAPS}?{A}&resourceVersion={watch.versions[-1]}") as again:
            await api.delete(f"{MAPS}/a")
            await again.count(2)
            assert again.types == ["MODIFIED", "DELETED"]


@virtual
async def test_an_object_that_no_longer_matches_is_told_as_deleted() -> None:
    """Upstream: watch-configmaps-label-changed."""
    async with served(nodes=0) as api, api.watching(f"{MAPS}?{A}") as watch:
        await api.create(MAPS, labelled("a", "a"))
        await mutate(api, "a", 1)
        await api.patch(f"{MAPS}/a", {"metadata": {"labels": {LABEL: "wrong"}}})
        await watch.count(3)
        await mutate(api, "a", 2)
        await api.patch(f"{MAPS}/a", {"metadata": {"labels": {LABEL: "a"}}})
        await mutate(api, "a", 3)
        await api.delete(f"{MAPS}/a")
        await watch.count(6)
        assert watch.types == ["ADDED", "MODIFIED", "DELETED", "ADDED", "MODIFIED", "DELETED"]
        assert watch.events[2]["object"]["data"] == {"mutation": "1"}
        assert watch.events[3]["object"]["data"] == {"mutation": "2"}


@virtual
async def test_watches_begun_at_different_versions_tell_the_same_order() -> None:
    """Upstream: watch-consistency."""
    async with served(nodes=0) as api, api.watching(MAPS) as first:
        for number in range(8):
            await api.create(MAPS, labelled(f"m{number}", "a"))
            await mutate(api, f"m{number}", number)
            if number % 2:
                await api.delete(f"{MAPS}/m{number - 1}")
        await first.until(lambda events: events[-1]["type"] == "DELETED" and len(events) >= 20)
        for place, version in enumerate(first.versions[:-1]):
            async with api.watching(f"{MAPS}?resourceVersion={version}") as later:
                rest = first.versions[place + 1 :]
                await later.count(len(rest))
                assert later.versions == rest
