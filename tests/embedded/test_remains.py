"""What a cluster that has ended leaves in its process: nothing.

Thousands of them live one after another in a test run, so whatever one leaves adds up. What is
left on purpose belongs to no cluster: what is known of a version of Kubernetes, and bounded caches.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

import httpx
import pytest

from orchestrator import Cluster, Container
from orchestrator.resources.kinds import KindRegistry
from tests.embedded.kit import config_map, deployment
from tests.embedded.test_travel_past import WIDGETS

OURS: Final = ("orchestrator.", "actors.")
SHARED: Final = (KindRegistry,)
"""Types of what is made once for a version, whichever clusters have it."""
DEPTH: Final = 6

Seen = dict[str, weakref.ref[Any]]


def is_ours(value: object) -> bool:
    """Tell whether a value is of a class of this project."""
    return str(type(value).__module__).startswith(OURS)


def parts(cluster: object) -> Seen:
    """Return references to a cluster and all that it is made of, by where each was found."""
    found: Seen = {"cluster": weakref.ref(cluster)}
    known = {id(cluster)}
    waiting: list[tuple[str, Any]] = [("cluster", cluster)]
    while waiting:
        path, value = waiting.pop()
        for name, part in getattr(value, "__dict__", {}).items():
            if id(part) in known or not is_ours(part) or isinstance(part, SHARED):
                continue
            known.add(id(part))
            with contextlib.suppress(TypeError):  # named tuples and the like are values
                found[f"{path}.{name}"] = weakref.ref(part)
            if path.count(".") < DEPTH:
                waiting.append((f"{path}.{name}", part))
    return found


def census() -> Counter[str]:
    """Count what is there of this project's classes."""
    gc.collect()
    counts: Counter[str] = Counter()
    for value in gc.get_objects():
        if is_ours(value):
            counts[f"{type(value).__module__}.{type(value).__qualname__}"] += 1
    return counts


async def serve() -> Seen:
    """Answer requests on a port, with a watch that is still open at the end."""
    async with (
        Cluster(nodes=2) as cluster,
        httpx.AsyncClient(base_url=cluster.url, trust_env=False) as client,
    ):
        for path in ("/apis", "/api/v1/namespaces/default/pods", "/nothing"):
            await client.get(path)
        await client.post("/api/v1/namespaces/default/configmaps", json=config_map("a"))
        async with client.stream("GET", "/api/v1/configmaps?watch=true") as watch:
            assert watch.is_success
            return parts(cluster)
    raise AssertionError("unreachable")


async def work() -> Seen:
    """Run pods, a function among them, fail, lose a node, let an hour pass; end in the midst."""
    async with Cluster(nodes=2, listen=None) as cluster:

        @cluster.image("web:1")
        async def web(container: Container) -> None:
            await container.sleep(1e9)

        await cluster.apply([deployment("web"), WIDGETS])
        await cluster.wait("deployment/web", "Available")
        cluster.faults.api(verb="get", kind="Secret", error=429, times=5)
        await cluster.nodes["node-1"].crash()
        await cluster.clock.advance(hours=1)
        with pytest.raises(TimeoutError):
            await cluster.wait("deployment/none", "Available", timeout=1)
        return parts(cluster)


async def travel() -> Seen:
    """Take a snapshot and put it back, look at the past; a fork of it ends as well."""
    async with Cluster(nodes=1, listen=None) as cluster:
        await cluster.apply(config_map("a", x="1"))
        before = await cluster.snapshot()
        await cluster.apply(config_map("a", x="2"))
        await cluster.restore(before)
        assert cluster.history("configmap/a")
        async with await cluster.fork() as fork:
            await fork.apply(deployment("web"))
            return {
                **parts(cluster),
                **{f"fork: {name}": part for name, part in parts(fork).items()},
            }


async def fail() -> Seen:
    """End by an error, with a client and a watch of it left as they are."""
    left: Seen = {}
    with contextlib.suppress(ZeroDivisionError):
        async with Cluster(nodes=1, listen=None) as cluster, cluster.client(user="jane") as client:
            left = parts(cluster)
            left["client"] = weakref.ref(client)
            raise ZeroDivisionError
    return left


def stay_apart() -> Seen:
    """Live on a thread of its own, for a program without a loop."""
    with Cluster.sync(nodes=1, listen=None) as cluster:
        cluster.apply(config_map("a"))
        return parts(cluster)


@pytest.mark.parametrize("life", [serve, work, travel, fail])
def test_nothing_of_a_cluster_outlives_it(life: Callable[[], Coroutine[Any, Any, Seen]]) -> None:
    """On one loop, none of its parts, and of no class is more there than after the one before."""
    with asyncio.Runner() as runner:
        look_at(lambda: runner.run(life()))


def test_nothing_of_a_cluster_on_a_thread_outlives_it() -> None:
    """The same for programs without asyncio."""
    look_at(stay_apart)


def look_at(live: Callable[[], Seen]) -> None:
    """Live some lives, and look for what the last of them left."""
    live()
    live()
    before = census()
    seen = live()
    after = census()
    assert len(seen) > 30
    assert [name for name, part in seen.items() if part() is not None] == []
    assert after - before == Counter()
