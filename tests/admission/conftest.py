"""A store for tests of the built-in admission plugins, and what goes into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.resources.users import User
from orchestrator.store import Create, Store
from orchestrator.store.admission import Caller


class Admitting:
    """A store whose writes are told as results: an object, or the refusal's message."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.warnings: list[str] = []

    async def user(self, resource: str, obj: Object, namespace: str = "default") -> Any:
        """Create an object as a user."""
        caller = Caller(User("jane"), warnings=self.warnings)
        try:
            return await self.store.create(
                obj, resource=resource, namespace=namespace, caller=caller
            )
        except StatusError as error:
            return error.message

    async def updated(self, resource: str, obj: Object, subresource: str = "") -> Any:
        """Replace an object as a user."""
        caller = Caller(User("jane"), warnings=self.warnings)
        metadata = obj["metadata"]
        try:
            return await self.store.update(
                obj,
                resource=resource,
                namespace=metadata.get("namespace", ""),
                name=metadata["name"],
                subresource=subresource,
                caller=caller,
            )
        except StatusError as error:
            return error.message

    async def controllers(self, resource: str, *objects: Object) -> list[Any]:
        """Create objects in one batch, as a controller."""
        results = await self.store.write([Create(resource, obj) for obj in objects])
        return [one.message if isinstance(one, StatusError) else one for one in results]

    async def given(self, resource: str, api_version: str, kind: str, **parts: Any) -> Object:
        """Create an object that has to be accepted."""
        name = parts.pop("name", "one")
        metadata = {"name": name, **parts.pop("metadata", {})}
        obj = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}
        namespaced = self.store.registry.by_key(resource).namespaced
        scope = metadata.get("namespace") or ("default" if namespaced else "")
        return await self.store.create(obj, resource=resource, namespace=scope)


def pod(name: str = "p", *containers: dict[str, Any], **spec: Any) -> Object:
    """A pod of the default namespace."""
    metadata: dict[str, Any] = {"name": name, "namespace": spec.pop("namespace", "default")}
    each = containers or ({},)
    filled = [{"name": f"c{at}", "image": "i", **one} for at, one in enumerate(each, 1)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": filled, **spec},
    }


@asynccontextmanager
async def admitting() -> AsyncIterator[Admitting]:
    """Open a store in memory."""
    async with ActorSystem("test", seed=1) as system:
        yield Admitting(await Store.open(system, MemoryLog(), registry("1.35")))


class Kit:
    """What tests make things with."""

    pod = staticmethod(pod)
    admitting = staticmethod(admitting)


@pytest.fixture
def kit() -> type[Kit]:
    """Builders and the store."""
    return Kit
