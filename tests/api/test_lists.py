"""Lists and watches at versions, in pages, in shapes: upstream's answers, texts and codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.api import ApiApplication
from orchestrator.resources.kinds import registry
from orchestrator.store import Store
from orchestrator.store.window import WindowLimits

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


def config_map(name: str, **labels: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"metadata": {"name": name, "labels": labels}}


@pytest.fixture
async def small() -> AsyncIterator[Store]:
    """A store that keeps few events."""
    async with ActorSystem("api-lists") as system:
        yield await Store.open(
            system, MemoryLog(), registry("1.35"), limits=WindowLimits(events=10)
        )


@pytest.fixture
async def short(small: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=ApiApplication(small)), base_url="http://api"
    ) as made:
        yield made


@asynccontextmanager
async def opened(**limits: int) -> AsyncIterator[tuple[httpx.AsyncClient, ApiApplication]]:
    """An API whose time is virtual, where waiting for a version takes none."""
    async with ActorSystem("api-lists") as system:
        window = WindowLimits(**limits) if limits else None
        store = await Store.open(system, MemoryLog(), registry("1.35"), limits=window)
        app = ApiApplication(store)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://api"
        ) as client:
            yield client, app


async def create(client: httpx.AsyncClient, *names: str, **labels: str) -> str:
    """Create ConfigMaps; returns the version of the last."""
    version = ""
    for name in names:
        answer = await client.post(MAPS, json=config_map(name, **labels))
        assert answer.status_code == 201, answer.text
        version = answer.json()["metadata"]["resourceVersion"]
    return version


async def watch(
    app: ApiApplication, path: str, count: int, accept: str = "application/json"
) -> list[dict[str, Any]]:
    """Watch until so many events have come, or the watch has ended."""
    found: list[dict[str, Any]] = []
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
            return
        found.extend(map(json.loads, message["body"].splitlines()))
        if len(found) >= count:
            gone.set()

    scope = {
        "type": "http",
        "method": "GET",
        "path": path.partition("?")[0],
        "query_string": path.partition("?")[2].encode(),
        "headers": [(b"authorization", b"Bearer secret-token"), (b"accept", accept.encode())],
    }
    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return found


@pytest.mark.parametrize(
    ("query", "causes"),
    [
        (
            "resourceVersionMatch=Exact",
            ["resourceVersionMatch is forbidden unless resourceVersion is provided"],
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=0",
            ['resourceVersionMatch "exact" is forbidden for resourceVersion "0"'],
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=1&continue=x",
            ["resourceVersionMatch is forbidden when continue is provided"],
        ),
        (
            "resourceVersionMatch=Newest&resourceVersion=1",
            ['Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""'],
        ),
        ("sendInitialEvents=true", ["sendInitialEvents is forbidden for list"]),
        (
            "watch=1&sendInitialEvents=false",
            ["sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"],
        ),
        (
            "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact",
            [
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                'Unsupported value: "Exact": supported values: "NotOlderThan"',
            ],
        ),
        (
            "watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1",
            [
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ],
        ),
    ],
)
async def test_options_that_contradict_each_other(
    client: httpx.AsyncClient, query: str, causes: list[str]
) -> None:
    """422 with a cause for each."""
    answer = await client.get(f"{MAPS}?{query}")
    assert answer.status_code == 422, answer.text
    found = [cause["message"] for cause in answer.json()["details"]["causes"]]
    assert [text.removeprefix("Forbidden: ") for text in found] == causes
    assert answer.json()["details"]["kind"] == "ListOptions"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "continue=e30",
            "invalid continue token: continue key is not valid: 'v'",
        ),
        (
            "continue=eyJ2IjoidjkiLCJydiI6MSwic3RhcnQiOiJhIn0",
            (
                "invalid continue token: continue key is not valid: server does not recognize "
                'this encoded version "v9"'
            ),
        ),
        (
            "limit=99999999999999999999",
            'strconv.ParseInt: parsing "99999999999999999999": value out of range',
        ),
        (
            "fieldSelector=metadata.name=b",
            "fieldSelector metadata.name doesn't match requested name",
        ),
    ],
)
async def test_what_cannot_be_read_is_400(
    client: httpx.AsyncClient, query: str, message: str
) -> None:
    """In upstream's words."""
    one = MAPS.replace("/v1/", "/v1/watch/") + "/a"
    answer = await client.get(f"{one if 'fieldSelector' in query else MAPS}?{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_a_version_before_the_window_is_gone(short: httpx.AsyncClient) -> None:
    """For a list at exactly that version; the least version may be as old as one likes."""
    old = await create(short, "a")
    await create(short, *(f"m{n}" for n in range(20)))
    exact = await short.get(f"{MAPS}?resourceVersion={old}&resourceVersionMatch=Exact")
    assert exact.status_code == 410
    assert exact.json()["reason"] == "Expired"
    assert exact.json()["message"] == "The resourceVersion for the provided list is too old."
    limited = await short.get(f"{MAPS}?resourceVersion={old}&limit=1")
    assert limited.status_code == 410
    for query in (f"resourceVersion={old}", f"resourceVersion={old}&resourceVersionMatch="):
        assert len((await short.get(f"{MAPS}?{query}")).json()["items"]) == 21
    least = await short.get(f"{MAPS}?resourceVersion={old}&resourceVersionMatch=NotOlderThan")
    assert int(least.json()["metadata"]["resourceVersion"]) > int(old)
    anything = await short.get(f"{MAPS}?resourceVersion=0&limit=5")
    assert len(anything.json()["items"]) == 5


async def test_an_expired_continue_carries_a_token_to_go_on_with(
    short: httpx.AsyncClient,
) -> None:
    """The rest as it is now, pages of which are consistent among themselves."""
    await create(short, "a", "b", "c", "d", "e")
    page = (await short.get(f"{MAPS}?limit=2")).json()
    assert page["metadata"]["remainingItemCount"] == 3
    await short.delete(f"{MAPS}/d")
    await create(short, *(f"c{n}" for n in range(20)))
    token = page["metadata"]["continue"]
    gone = await short.get(f"{MAPS}?limit=2&continue={token}")
    assert (gone.status_code, gone.json()["reason"]) == (410, "Expired")
    assert "or use the continue token in this response" in gone.json()["message"]
    token = gone.json()["metadata"]["continue"]
    assert token
    rest = (await short.get(f"{MAPS}?limit=2&continue={token}")).json()
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "c0"]
    version = rest["metadata"]["resourceVersion"]
    await short.post(MAPS, json=config_map("c00"))
    after = (await short.get(f"{MAPS}?limit=99&continue={rest['metadata']['continue']}")).json()
    names = [item["metadata"]["name"] for item in after["items"]]
    assert names[-1] == "e"
    assert "c00" not in names
    assert after["metadata"]["resourceVersion"] == version


async def test_remaining_items_are_counted_without_selectors_only(
    client: httpx.AsyncClient,
) -> None:
    """With one, upstream does not know either."""
    await create(client, "a", "b", "c", app="web")
    plain = (await client.get(f"{MAPS}?limit=1")).json()["metadata"]
    assert plain["remainingItemCount"] == 2
    selected = (await client.get(f"{MAPS}?limit=1&labelSelector=app=web")).json()["metadata"]
    assert selected["continue"]
    assert "remainingItemCount" not in selected


@virtual
async def test_a_version_to_come_is_too_large() -> None:
    """504 with upstream's cause, for lists and single objects."""
    async with opened() as (client, _):
        await create(client, "a")
        for path in (f"{MAPS}?resourceVersion=999", f"{MAPS}/a?resourceVersion=999"):
            answer = await client.get(path)
            assert answer.status_code == 504
            status = answer.json()
            message = "Timeout: Too large resource version: 999, current: "
            assert status["message"].startswith(message)
            assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
            assert status["details"]["retryAfterSeconds"] == 1


@virtual
async def test_watches_tell_what_is_wrong_with_a_version_by_an_event() -> None:
    """As upstream, whose answer has begun by then: 200, one ERROR event, the end."""
    async with opened(events=10) as (client, app):
        await create(client, *(f"m{n}" for n in range(20)))
        [old] = await watch(app, f"{MAPS}?watch=1&resourceVersion=1", 9)
        status = old["object"]
        assert (old["type"], status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert status["message"].startswith("too old resource version: 1 (")
        query = "watch=1&resourceVersion=999&sendInitialEvents=1&resourceVersionMatch=NotOlderThan"
        [late] = await watch(app, f"{MAPS}?{query}", 9)
        assert (late["type"], late["object"]["code"]) == ("ERROR", 504)


async def test_a_watch_from_a_version_to_come_waits_for_it(
    app: ApiApplication, client: httpx.AsyncClient
) -> None:
    """It skips what happens before."""
    version = int(await create(client, "a"))
    path = f"{MAPS}?watch=1&resourceVersion={version + 2}"
    watching = asyncio.create_task(watch(app, path, 1))
    await asyncio.sleep(0)
    await create(client, "b", "c", "d")
    [event] = await watching
    assert event["object"]["metadata"]["name"] == "d"


@virtual
async def test_initial_events_by_option() -> None:
    """Whether they come, and whether their end is told."""
    async with opened() as (client, app):
        version = await create(client, "a", "b")
        match = "resourceVersionMatch=NotOlderThan"
        for query, types in (
            ("resourceVersion=0", ["ADDED", "ADDED"]),
            (f"sendInitialEvents=true&{match}", ["ADDED", "ADDED"]),
            (
                f"sendInitialEvents=true&{match}&resourceVersion={version}&allowWatchBookmarks=1",
                ["ADDED", "ADDED", "BOOKMARK"],
            ),
            (f"sendInitialEvents=false&{match}&allowWatchBookmarks=1", ["BOOKMARK"]),
        ):
            path = f"{MAPS}?watch=1&timeoutSeconds=1&{query}"
            events = await watch(app, path, len(types))
            assert [event["type"] for event in events] == types, query
            if types == ["ADDED", "ADDED", "BOOKMARK"]:
                metadata = events[2]["object"]["metadata"]
                assert metadata["annotations"]["k8s.io/initial-events-end"] == "true"
                assert int(metadata["resourceVersion"]) >= int(version)


async def test_deprecated_watch_paths(app: ApiApplication, client: httpx.AsyncClient) -> None:
    """Of a collection, a namespace and a single object."""
    await create(client, "a", "b")
    for path, names in (
        ("/api/v1/watch/configmaps", ["a", "b"]),
        ("/api/v1/watch/namespaces/default/configmaps", ["a", "b"]),
        ("/api/v1/watch/namespaces/default/configmaps/b", ["b"]),
        (f"{MAPS}?watch=1&fieldSelector=metadata.name%3Db", ["b"]),
    ):
        events = await watch(app, path, len(names))
        assert [event["object"]["metadata"]["name"] for event in events] == names


async def test_tables_describe_their_columns_once(
    app: ApiApplication, client: httpx.AsyncClient
) -> None:
    """In the first event of each watch, whoever else watches."""
    await create(client, "a", "b")
    path = f"{MAPS}?watch=1&includeObject=None"
    for _ in range(2):
        first, second = await watch(app, path, 2, TABLE)
        assert first["object"]["columnDefinitions"][0]["name"] == "Name"
        assert not second["object"]["columnDefinitions"]
        assert second["object"]["rows"][0]["object"] is None
    refused = await client.get(f"{path}x", headers={"accept": TABLE})
    assert refused.status_code == 400
    assert refused.json()["message"] == (
        'Unable to convert to Table as requested: includeObject: Invalid value: "Nonex": must be '
        "'Metadata', 'Object', 'None', or empty"
    )


async def test_metadata_only(app: ApiApplication, client: httpx.AsyncClient) -> None:
    """For one, for a list and in a watch; each by its own name."""
    await create(client, "a")
    single = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    many = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    one = await client.get(f"{MAPS}/a", headers={"accept": single})
    assert one.json()["kind"] == "PartialObjectMetadata"
    listed = (await client.get(MAPS, headers={"accept": many})).json()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert listed["items"][0]["kind"] == "PartialObjectMetadata"
    [event] = await watch(app, f"{MAPS}?watch=1", 1, single)
    assert event["object"]["kind"] == "PartialObjectMetadata"
    for path, accept in ((MAPS, single), (f"{MAPS}/a", many), (f"{MAPS}?watch=1", many)):
        answer = await client.get(path, headers={"accept": accept})
        assert (answer.status_code, answer.json()["reason"]) == (406, "NotAcceptable")


async def test_watches_are_not_written_in_yaml(client: httpx.AsyncClient) -> None:
    """406, as upstream has no stream of it."""
    answer = await client.get(f"{MAPS}?watch=1", headers={"accept": "application/yaml"})
    assert answer.status_code == 406


async def test_a_collection_is_deleted_as_selected(client: httpx.AsyncClient) -> None:
    """By selector, by page, with a precondition; the answer is the list of what was there."""
    await create(client, "a", "b", "c", app="web")
    await create(client, "d", app="db")
    limited = (await client.delete(f"{MAPS}?labelSelector=app=web&limit=2")).json()
    assert [item["metadata"]["name"] for item in limited["items"]] == ["a", "b"]
    assert limited["kind"] == "ConfigMapList"
    assert limited["metadata"]["continue"]
    body = {"preconditions": {"uid": "another"}}
    refused = await client.request("DELETE", f"{MAPS}?labelSelector=app=db", json=body)
    assert refused.status_code == 409
    tried = await client.delete(f"{MAPS}?dryRun=All")
    assert len(tried.json()["items"]) == 2
    rest = (await client.get(MAPS)).json()["items"]
    assert [item["metadata"]["name"] for item in rest] == ["c", "d"]
    await client.delete(f"{MAPS}?fieldSelector=metadata.name!=c")
    rest = (await client.get(MAPS)).json()["items"]
    assert [item["metadata"]["name"] for item in rest] == ["c"]


@virtual
async def test_large_collections_are_deleted_in_steps() -> None:
    """The store's queue has room for others meanwhile."""
    async with opened() as (client, _):
        await create(client, *(f"m{n}" for n in range(450)))
        answer = await client.delete(MAPS)
        assert answer.status_code == 200
        assert len(answer.json()["items"]) == 450
        assert (await client.get(MAPS)).json()["items"] == []


async def test_an_object_that_is_asked_for_by_name_is_not_watched(
    client: httpx.AsyncClient,
) -> None:
    """Upstream ignores the parameter there; whoever may only get must not come to watch by it."""
    body = {"metadata": {"name": "named"}, "data": {"x": "1"}}
    assert (await client.post(MAPS, json=body)).status_code == 201
    answer = await client.get(f"{MAPS}/named?watch=1")
    assert answer.json()["kind"] == "ConfigMap"
