"""Clients over httpx without a socket, and over a Unix socket; aiohttp over one too."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.config.models import Cluster as Server
from lightkube.config.models import User
from lightkube.core.exceptions import ApiError
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap

from orchestrator import Cluster, ClusterError
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@on_a_real_loop
async def test_httpx_streams_without_a_socket() -> None:
    """Each event of a watch comes when it happens; who leaves ends it."""
    async with (
        Cluster(epoch=EPOCH, listen=None) as cluster,
        httpx.AsyncClient(transport=cluster.httpx_transport(), base_url="http://cluster") as client,
    ):
        made = await client.post(CONFIG_MAPS, json=config_map("a", colour="green"))
        assert made.status_code == 201
        assert made.json()["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
        query = {"watch": "1", "fieldSelector": "metadata.name=a"}
        async with (
            client.stream("GET", CONFIG_MAPS, params=query) as answer,
            contextlib.aclosing(answer.aiter_lines()) as lines,  # type: ignore[type-var] # a generator
        ):
            assert json.loads(await anext(lines))["type"] == "ADDED"
            waiting = asyncio.ensure_future(anext(lines))
            await cluster.clock.advance(minutes=5)
            assert not waiting.done()
            await cluster.api.delete("cm", "a")
            assert json.loads(await waiting)["type"] == "DELETED"
        missing = await client.get(f"{CONFIG_MAPS}/none")
        assert missing.status_code == 404
        assert missing.json()["reason"] == "NotFound"
        with cluster.faults.api(error="reset", times=1), pytest.raises(httpx.ReadError):
            await client.get(CONFIG_MAPS)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("httpx:")]


@on_a_real_loop
async def test_lightkube_takes_the_transport() -> None:
    """Its own kind of httpx is told; its waits and watches work in time that runs."""
    async with Cluster(listen=None) as cluster:
        client = AsyncClient(
            KubeConfig.from_one(cluster=Server(server="http://cluster"), user=User()).get(),
            transport=cluster.httpx_transport(httpx2),
        )
        await client.create(Deployment.from_dict(deployment()))
        async with cluster.clock.running():
            await client.wait(Deployment, "web", for_conditions=["Available"])
        await client.create(ConfigMap.from_dict(config_map("mine")))
        assert [found.metadata.name async for found in client.list(ConfigMap)] == ["mine"]
        with pytest.raises(ApiError):
            await client.get(ConfigMap, "none")


@on_a_real_loop
async def test_plain_requests_go_through_httpx_s_own_transport() -> None:
    """What is no stream needs nothing special."""
    async with (
        Cluster(nodes=2, listen=None) as cluster,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(cluster.asgi), base_url="http://cluster"
        ) as client,
    ):
        found = (await client.get("/api/v1/nodes")).json()
        assert [node["metadata"]["name"] for node in found["items"]] == ["node-1", "node-2"]


@on_a_real_loop
async def test_a_unix_socket_serves_httpx_and_aiohttp(tmp_path: Path) -> None:
    """By the ways that their documentation has for it; there is no kubeconfig for one."""
    path = tmp_path / "api.sock"
    async with Cluster(nodes=1, listen=path) as cluster:
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://cluster") as client:
            assert len((await client.get("/api/v1/nodes")).json()["items"]) == 1
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            url = f"http://cluster{CONFIG_MAPS}?watch=1"
            async with session.get(url) as answer:
                await cluster.apply(config_map("later"))
                async for line in answer.content:
                    event: dict[str, Any] = json.loads(line)
                    if event["object"]["metadata"]["name"] == "later":
                        break
        with pytest.raises(ClusterError, match="listens on no port"):
            cluster.kubeconfig  # noqa: B018 - it raises


@on_a_real_loop
async def test_who_is_in_this_program_is_the_administrator_over_https_too() -> None:
    """No token is needed where there is no socket; impersonation is as everywhere."""
    async with (
        Cluster(nodes=1, listen="https") as cluster,
        httpx.AsyncClient(transport=cluster.httpx_transport(), base_url="http://cluster") as client,
    ):
        assert len(await cluster.api.list("nodes")) == 1
        assert (await client.get("/api/v1/nodes")).status_code == 200
        refused = await client.get("/api/v1/nodes", headers={"Impersonate-User": "ann"})
        assert refused.status_code == 403
        outside = await client.get("/api/v1/nodes", headers={"Authorization": "Bearer wrong"})
        assert outside.status_code == 401
