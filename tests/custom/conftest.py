"""An API over a store in memory with the controller of definitions."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.controllers.definitions import DefinitionController
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.store import EventRecorder, Store

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "stable.example.com"
RESOURCE = "customresourcedefinitions.apiextensions.k8s.io"


def served(store: Store) -> set[str]:
    """Return the store's names of what is served."""
    return {kind.resource for kind in store.registry.kinds()}


def definition(
    schema: Object | None = None,
    plural: str = "crontabs",
    kind: str = "CronTab",
    scope: str = "Namespaced",
    names: Object | None = None,
    **version: Any,
) -> Object:
    """Build a definition with one version, whose ``spec`` has the given schema."""
    spec = {"type": "object"} if schema is None else schema
    whole = {"type": "object", "properties": {"spec": spec}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {"plural": plural, "kind": kind, **(names or {})},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": whole},
                    **version,
                }
            ],
        },
    }


def instance(name: str = "one", kind: str = "CronTab", version: str = "v1", **parts: Any) -> Object:
    """Build a custom object."""
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": kind,
        "metadata": {"name": name},
        **parts,
    }


class Api:
    """A client that knows where custom objects are."""

    def __init__(self, client: httpx.AsyncClient, store: Store) -> None:
        self.client = client
        self.store = store

    async def define(self, crd: Object) -> Object:
        """Create a definition and wait until it is established."""
        answer = await self.client.post(CRDS, json=crd)
        assert answer.status_code == 201, answer.text
        name = crd["metadata"]["name"]
        return await self.settled(name, "Established")

    async def settled(self, name: str, condition: str, status: str = "True") -> Object:
        """Wait for a condition of a definition."""
        for _ in range(200):
            found = self.store.get("customresourcedefinitions.apiextensions.k8s.io", "", name)
            conditions = (found or {}).get("status", {}).get("conditions") or []
            if any(c["type"] == condition and c["status"] == status for c in conditions):
                assert found is not None
                return found
            await self.store.wait_sequence(self.store.sequence + 1)
        raise AssertionError(f"{name}: {condition} is not {status}")

    def path(self, name: str = "", plural: str = "crontabs", version: str = "v1") -> str:
        """Return the path of objects in the namespace default."""
        tail = f"/{name}" if name else ""
        return f"/apis/{GROUP}/{version}/namespaces/default/{plural}{tail}"

    async def create(self, obj: Object, code: int = 201, **params: str) -> Any:
        """Create an object."""
        version = obj["apiVersion"].rpartition("/")[2]
        plural = f"{obj['kind'].lower()}s"
        path = self.path(plural=plural, version=version)
        answer = await self.client.post(path, json=obj, params=params)
        assert answer.status_code == code, answer.text
        return answer.json()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A store in memory with the controller of definitions."""
    async with ActorSystem("custom-test") as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        recorder = EventRecorder(store, "apiextensions-controller")
        system.spawn(lambda: DefinitionController(store, recorder), "definitions")
        yield store


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    """A client, in process."""
    app = ApiApplication(store, ApiConfig())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://api"
    ) as client:
        yield Api(client, store)


@pytest.fixture
def made() -> Any:
    """This module's builders: `definition`, `instance`, paths."""
    return sys.modules[__name__]
