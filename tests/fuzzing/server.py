"""The API over a store in memory, on a thread, for a client that blocks."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import requests

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.api import ApiApplication, ApiServer
from orchestrator.resources.kinds import registry
from orchestrator.store import Store

START_SECONDS = 20.0


class Served:
    """A server on a loop of its own.

    Attributes:
        url: Where it answers.
        session: Keeps the connection open.
    """

    def __init__(self) -> None:
        self.url = ""
        self.session = requests.Session()
        self.session.trust_env = False
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError(f"the server did not come up: {self._failure!r}")

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - told in the other thread
            self._failure = error
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with ActorSystem("fuzzed") as system:
            store = await Store.open(system, MemoryLog(), registry())
            app = ApiApplication(store)
            async with ApiServer(app, "127.0.0.1", 0) as server:
                self.url = server.url
                self._ready.set()
                await self._stop.wait()

    def get(self, path: str) -> Any:
        """Return a document."""
        answer = self.session.get(self.url + path, timeout=START_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def check(self) -> None:
        """Make sure that everything stored can still be read.

        Raises:
            requests.HTTPError: It cannot.
        """
        for group in self.get("/apis")["groups"]:
            for version in group["versions"]:
                self._check_lists(f"/apis/{version['groupVersion']}")
        self._check_lists("/api/v1")

    def _check_lists(self, root: str) -> None:
        for resource in self.get(root)["resources"]:
            if "list" in resource["verbs"]:
                self.get(f"{root}/{resource['name']}")

    def close(self) -> None:
        """Stop."""
        self.session.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@contextlib.contextmanager
def served() -> Iterator[Served]:
    """Serve for a while."""
    server = Served()
    try:
        yield server
    finally:
        server.close()
