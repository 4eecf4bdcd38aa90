"""Faults of requests that go on: followed logs, watches, commands; docs/library/faults.md."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from orchestrator import Cluster, StatusError
from orchestrator.embedded.client.client import Client
from tests.embedded.kit import on_a_real_loop

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {"containers": [{"name": "main", "image": "a:1"}]},
}


async def follows(api: Client) -> str:
    """Return the first line of a followed log."""
    async with api.follow_logs("a") as lines:
        return await anext(lines)


async def watches(api: Client) -> str:
    """Return the first event of a watch."""
    async with api.watch("pods") as events:
        return (await anext(events)).type


async def executes(api: Client) -> str:
    """Return what a command said."""
    return (await api.exec("a", ["echo", "done"])).stdout


WAYS: dict[str, tuple[Callable[[Client], Coroutine[Any, Any, str]], dict[str, Any], str]] = {
    "followed log": (follows, {"kind": "pods/log"}, "hello"),
    "watch": (watches, {"kind": "pods", "verb": "watch"}, "ADDED"),
    "command": (executes, {"kind": "pods/exec"}, "done\n"),
}


@pytest.mark.parametrize("way", WAYS)
@on_a_real_loop
async def test_a_request_that_goes_on_loses_its_answer_or_is_late(way: str) -> None:
    """Where writes are carried out and lost, it isn't carried out: it would never end."""
    act, which, answer = WAYS[way]
    async with Cluster(nodes=1, listen=None) as cluster:
        cluster.image("a:1", logs=["hello"])
        await cluster.apply(POD)
        await cluster.wait("pod/a")
        async with asyncio.timeout(20):
            with cluster.faults.api(error="timeout-after-write", **which) as fault:
                with pytest.raises(StatusError, match="did not complete within") as refused:
                    await act(cluster.api)
                assert (refused.value.code, fault.hits) == (504, 1)
            for error in ("reset", "reset-after-write"):
                with cluster.faults.api(error=error, **which) as fault:
                    with pytest.raises(ConnectionResetError):
                        await act(cluster.api)
                    assert fault.hits == 1
            began = cluster.clock.now()
            with cluster.faults.api(latency=7, **which):
                late = asyncio.create_task(act(cluster.api))
                await cluster.clock.advance_until(late.done, seconds=30)
                assert await late == answer
            assert cluster.clock.now() - began == 7
            assert await act(cluster.api) == answer


@on_a_real_loop
async def test_a_followed_log_over_a_socket_is_refused_or_reset() -> None:
    """It hung, carried out for nobody."""
    async with Cluster(nodes=1) as cluster:
        cluster.image("a:1", logs=["hello"])
        await cluster.apply(POD)
        await cluster.wait("pod/a")
        path = "/api/v1/namespaces/default/pods/a/log"
        async with httpx.AsyncClient(base_url=cluster.url, timeout=10) as http:
            with cluster.faults.api(kind="pods/log", error="timeout-after-write"):
                assert (await http.get(path, params={"follow": "true"})).status_code == 504
            reset = cluster.faults.api(kind="pods/log", error="reset-after-write")
            with reset, pytest.raises(httpx.ReadError):
                await http.get(path, params={"follow": "true"})


@on_a_real_loop
async def test_what_is_no_watch_is_not_cut_as_one() -> None:
    """Such a fault would do nothing."""
    async with Cluster(nodes=0, listen=None) as cluster:
        with pytest.raises(ValueError, match="objects are watched, not their subresources"):
            cluster.faults.api(kind="pods/log", drop_watch=True)


@on_a_real_loop
async def test_a_followed_log_breaks_off_where_the_control_plane_goes_down() -> None:
    """As over a socket: an end would say that the container has ended."""
    async with Cluster(nodes=1, listen=None) as cluster:
        cluster.image("a:1", logs=["hello"])
        await cluster.apply(POD)
        await cluster.wait("pod/a")
        async with cluster.api.follow_logs("a") as lines:
            assert await anext(lines) == "hello"
            await cluster.faults.restart()
            with pytest.raises(ConnectionResetError):
                await anext(lines)
        assert await follows(cluster.api) == "hello"
