"""A whole simulated cluster behind its API, in virtual time, and a client with expectations."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.cluster import BareCluster, ClusterConfig

Json = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

SECONDS = 60.0
"""How long, in virtual time, the cluster has for what a test waits for."""


class Watch:
    """What a watch has told so far."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.closed = asyncio.Event()
        self._told = asyncio.Event()

    def tell(self, body: bytes) -> None:
        """Take what has come."""
        self.events += map(json.loads, body.splitlines())
        self._told.set()

    @property
    def types(self) -> list[str]:
        """The types of the events so far."""
        return [event["type"] for event in self.events]

    @property
    def versions(self) -> list[str]:
        """The resource versions of the events so far."""
        return [event["object"]["metadata"]["resourceVersion"] for event in self.events]

    async def until(self, holds: Callable[[list[Json]], object]) -> list[Json]:
        """Wait until the events are as they should be."""
        try:
            async with asyncio.timeout(SECONDS):
                while not holds(self.events):
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            raise AssertionError(f"the watch told only {self.types}") from None
        return self.events

    async def count(self, number: int) -> list[Json]:
        """Wait for so many events."""
        return await self.until(lambda events: len(events) >= number)


class Api:
    """A client of a cluster's API; each call says which code it expects.

    Attributes:
        cluster: The cluster behind it.
        client: The plain client, for what has no method here.
    """

    def __init__(
        self, cluster: BareCluster, app: ApiApplication, client: httpx.AsyncClient
    ) -> None:
        self.cluster = cluster
        self.client = client
        self._app = app

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask, check the code, and return what was answered."""
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        answer = await self.client.request(
            method,
            path,
            content=content,
            headers={"content-type": "application/json", **(headers or {})},
        )
        assert answer.status_code == code, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def get(self, path: str, code: int = 200, accept: str = "application/json") -> Any:
        """Read an object or a list."""
        return await self.call("GET", path, code=code, headers={"accept": accept})

    async def items(self, path: str) -> list[Json]:
        """Read the items of a list."""
        listed = await self.get(path)
        assert listed["kind"].endswith("List"), listed
        found: list[Json] = listed["items"]
        return found

    async def names(self, path: str) -> list[str]:
        """Read the names of a list's items."""
        return [item["metadata"]["name"] for item in await self.items(path)]

    async def create(self, path: str, body: object, code: int = 201) -> Any:
        """Create an object."""
        return await self.call("POST", path, body, code)

    async def put(self, path: str, body: object, code: int = 200) -> Any:
        """Replace an object."""
        return await self.call("PUT", path, body, code)

    async def patch(self, path: str, body: object, code: int = 200, form: str = MERGE_PATCH) -> Any:
        """Patch an object."""
        return await self.call("PATCH", path, body, code, {"content-type": form})

    async def delete(self, path: str, body: object = None, code: int = 200) -> Any:
        """Delete an object or a collection."""
        return await self.call("DELETE", path, body, code)

    async def until(
        self, path: str, holds: Callable[[Any], object], seconds: float = SECONDS
    ) -> Any:
        """Read until what is read is as it should be."""
        found: Any = None
        for _ in range(int(seconds * 4)):
            found = (await self.client.get(path)).json()
            if holds(found):
                return found
            await asyncio.sleep(0.25)
        raise AssertionError(f"{path} did not become what was waited for: {json.dumps(found)}")

    async def gone(self, path: str) -> None:
        """Wait until an object is gone."""
        await self.until(path, lambda found: found.get("code") == 404)

    @asynccontextmanager
    async def watching(self, path: str) -> AsyncIterator[Watch]:
        """Watch while the block lasts; it begins once the watch has begun."""
        watch, begun = Watch(), asyncio.Event()

        async def receive() -> Json:
            await watch.closed.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200, message
                begun.set()
            else:
                watch.tell(message["body"])

        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": "GET",
            "path": where,
            "query_string": f"watch=true&{query}".encode(),
            "headers": [],
        }
        task = asyncio.ensure_future(self._app(scope, receive, send))
        waiting = asyncio.ensure_future(begun.wait())
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        try:
            yield watch
        finally:
            watch.closed.set()
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            await task


@asynccontextmanager
async def served(nodes: int = 2, **config: Any) -> AsyncIterator[Api]:
    """Run a cluster of simulated nodes behind its API, without sockets."""
    settings = ClusterConfig(runtime="simulated", nodes=nodes, seed=1, **config)
    cluster = BareCluster(settings)
    cluster.certificate_authority = "-----BEGIN CERTIFICATE-----\n"
    async with cluster:
        app = ApiApplication(
            cluster.store,
            ApiConfig(),
            logs=cluster.logs,
            accounts=cluster.accounts,
            egress=cluster.egress,
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield Api(cluster, app, client)
        app.close()
