"""An operator as people write them with kopf: it gives every Shop a Deployment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import kopf
import kr8s
import kr8s.asyncio
from kr8s.asyncio.objects import Deployment

from orchestrator import Cluster
from orchestrator.resources.objects import Object
from tests.embedded.kit import deployment

SHOPS = ("example.com", "v1", "shops")

SHOP_KIND: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "shops.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "shops", "singular": "shop", "kind": "Shop"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


def shop(name: str, **spec: Any) -> Object:
    """Return a Shop."""
    return {
        "apiVersion": "example.com/v1",
        "kind": "Shop",
        "metadata": {"name": name},
        "spec": spec,
    }


@contextlib.asynccontextmanager
async def kr8s_api(**named: Any) -> AsyncIterator[kr8s.asyncio.Api]:
    """Give a client of kr8s, which itself never closes its connections, and close them."""
    api = await kr8s.asyncio.api(**named)
    try:
        yield api
    finally:
        if api._session is not None:  # kr8s has no public way to it
            await api._session.aclose()


def make_operator(delay: float = 0.0) -> kopf.OperatorRegistry:
    """Return an operator whose handler takes ``delay`` real seconds before it does anything."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**given: Any) -> Any:
        return kopf.login_with_kubeconfig(**given)

    @kopf.on.create(*SHOPS, registry=registry)
    async def open_shop(name: str, namespace: str | None, patch: kopf.Patch, **_: Any) -> None:
        await asyncio.sleep(delay)
        body = deployment(name, replicas=1)
        kopf.adopt(body)
        async with kr8s_api() as api:
            await (await Deployment(body, namespace=namespace, api=api)).create()
        patch.status["phase"] = "Open"

    return registry


@contextlib.asynccontextmanager
async def operating(cluster: Cluster, registry: kopf.OperatorRegistry) -> AsyncIterator[None]:
    """Run an operator in this loop, beside the cluster, for as long as the block is at work."""
    stop = asyncio.Event()
    with cluster.in_environment():
        running = asyncio.create_task(
            kopf.operator(
                registry=registry, namespaces=["default"], standalone=True, stop_flag=stop
            )
        )
        try:
            await cluster.watched("shops")
            yield
        finally:
            stop.set()
            await running
