"""Clients outside live in real time, the cluster in its own: both get what they need."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from orchestrator import Cluster, WaitTimeoutError
from orchestrator.api.gate import is_bookmark
from orchestrator.api.visitors import Visitors, watches
from orchestrator.embedded.clock.lingering import silence_allowed
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop
from tests.embedded.operators import SHOP_KIND, make_operator, operating, shop

pytestmark = [
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@on_a_real_loop
async def test_an_operator_gets_its_turn_before_time_moves() -> None:
    """All of a day's beginning waits for what it does with what it was just told."""
    async with Cluster(epoch=EPOCH) as cluster:
        await cluster.apply(SHOP_KIND)
        async with operating(cluster, make_operator()):
            await cluster.apply(shop("a"))
            await cluster.clock.advance(seconds=5)
            assert (await cluster.api.get("shops", "a"))["status"]["phase"] == "Open"
            found = await cluster.api.get("deployment", "a")
            assert found["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
            assert found["status"]["availableReplicas"] == 1
            # Several who move time together wait for it alike.
            await cluster.apply(shop("b"))
            await asyncio.gather(cluster.clock.advance(1), cluster.clock.advance(2))
            found = await cluster.api.get("deployment", "b")
            assert found["metadata"]["creationTimestamp"] == "2026-01-01T00:00:05Z"


@on_a_real_loop
async def test_a_wait_for_what_only_a_slow_operator_does_is_not_over_too_early() -> None:
    """Its half second is longer than any courtesy; what it then makes still gets its time."""
    async with Cluster(epoch=EPOCH) as cluster:
        await cluster.apply(SHOP_KIND)
        async with operating(cluster, make_operator(delay=0.5)):
            await cluster.apply(shop("a"))
            await cluster.wait("deployment/a", "Available", timeout=10)
            await cluster.apply(shop("b"))
            opened = await cluster.clock.advance_until(
                lambda: (
                    (cluster.store.get("shops.example.com", "default", "b") or {})
                    .get("status", {})
                    .get("phase")
                ),
                seconds=5,
            )
            assert opened == "Open"


@on_a_real_loop
async def test_a_wait_that_no_client_could_help_ends_at_once() -> None:
    """Nobody knows the way in, so nobody is waited for."""
    async with Cluster() as cluster:
        loop = asyncio.get_running_loop()
        before = loop.time()
        with pytest.raises(WaitTimeoutError):
            await cluster.wait("deployment/none", timeout=3600)
        assert loop.time() - before < 1


@on_a_real_loop
async def test_an_operator_that_never_comes_is_missed_with_what_is_open_instead() -> None:
    """``watched`` says who watches what."""
    async with Cluster() as cluster:
        with pytest.raises(WaitTimeoutError, match=r"watched pods within 0.01 real .*no watches"):
            await cluster.watched("pods", timeout=0.01)
        reader, writer = await asyncio.open_connection(
            *cluster.url.removeprefix("http://").split(":")
        )
        writer.write(b"GET /api/v1/namespaces/default/pods?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        await cluster.watched("pods")
        with pytest.raises(WaitTimeoutError, match=r"open are /api/v1/namespaces/default/pods$"):
            await cluster.watched("nodes", timeout=0.01)
        # Open, told of things or not, it does not hold time up.
        await cluster.apply(deployment())
        await cluster.clock.advance(days=1)
        assert b"ADDED" in await reader.read(10_000)
        writer.close()
        await writer.wait_closed()


@on_a_real_loop
async def test_time_passes_by_itself_while_a_block_waits_for_a_client() -> None:
    """So many seconds of it in a real one, at most; and it stands again after the block."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        slow = deployment(replicas=1)
        slow["spec"]["template"]["metadata"]["annotations"] = {
            "simulation.orchestrator/start-seconds": "30"
        }
        await cluster.apply(slow)
        async with (
            cluster.clock.running(rate=600),
            cluster.api.watch("deployments") as events,
        ):
            async for event in events:
                if event.object.get("status", {}).get("availableReplicas"):
                    break
        then = cluster.clock.now()
        assert EPOCH + 30 <= then < EPOCH + 300
        await asyncio.sleep(0.03)
        assert cluster.clock.now() == then


@on_a_real_loop
async def test_a_block_that_works_in_real_time_can_hold_the_clock() -> None:
    """For what nobody could see from outside."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        done = []

        async def work() -> None:
            with cluster.clock.held():
                await asyncio.sleep(0.05)
                await cluster.apply(config_map())
                done.append(cluster.clock.now())

        working = asyncio.create_task(work())
        await asyncio.sleep(0)
        await cluster.clock.advance(60)
        assert done == [EPOCH]
        await working


@pytest.mark.parametrize(
    ("came", "watching", "invited", "seconds"),
    [
        (False, False, False, 0),
        (False, False, True, 10),
        (True, False, True, 1),
        (True, True, True, 10),
    ],
)
def test_clients_are_waited_for_as_long_as_they_may_still_act(
    came: bool, watching: bool, invited: bool, seconds: float
) -> None:
    """Nobody; one that was told the way; one that came and went; one that watches."""
    visitors = Visitors()
    if came:
        visitors.ask()
    if watching:
        visitors.open("/api/v1/pods")
    assert silence_allowed(visitors, invited=invited) == seconds


@on_a_real_loop
async def test_who_thinks_longer_than_the_grace_comes_late_and_is_told_of() -> None:
    """docs/library/time.md: the wait goes on in real time, and says so where that was too short."""
    async with Cluster(nodes=0) as cluster, httpx.AsyncClient(base_url=cluster.url) as http:
        path = "/api/v1/namespaces/default/configmaps"
        patch = {"content-type": "application/merge-patch+json"}

        async def think() -> None:
            async with http.stream("GET", path, params={"watch": "true"}, timeout=None) as watch:
                async for line in watch.aiter_lines():
                    if '"name":"settings"' in line and '"seen"' not in line:
                        await asyncio.sleep(0.6)
                        body = {"data": {"seen": "yes"}}
                        await http.patch(f"{path}/settings", json=body, headers=patch)

        thinking = asyncio.create_task(think())
        await cluster.watched("configmaps")
        began = cluster.clock.now()
        await cluster.apply(config_map())
        await cluster.wait("configmap/settings", "jsonpath={.data.seen}=yes", timeout=20)
        assert cluster.clock.now() - began == 20  # which were over when it came
        with pytest.raises(WaitTimeoutError, match=r"(?s)on for .* those who watch"):
            await cluster.wait("configmap/settings", "jsonpath={.data.seen}=no", timeout=1)
        thinking.cancel()
        await asyncio.gather(thinking, return_exceptions=True)


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (b'{"type":"BOOKMARK","object":{"kind":"Pod"}}\n', True),
        (b'2c\r\n{"type":"BOOKMARK","object":{"kind":"Pod"}}\n\r\n', True),
        (b'{"type":"ADDED","object":{"data":{"a":"{\\"type\\":\\"BOOKMARK\\""}}}\n', False),
        (b'{"type":"BOOKMARK","object":{}}\n{"type":"ADDED","object":{}}\n', False),
        (b"", False),
    ],
)
def test_a_bookmark_is_nothing_to_act_upon(chunk: bytes, expected: bool) -> None:
    """Nor is it waited for that somebody does."""
    assert is_bookmark(chunk) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apis/apps/v1/deployments", True),
        ("/apis/apps/v1/namespaces/a/deployments", True),
        ("/apis/apps/v1/namespaces/a/deployments/web", True),
        ("/apis/apps/v1/watch/namespaces/a/deployments", True),
        ("/apis/apps/v1/namespaces/deployments/replicasets", False),
        ("/apis/apps/v1beta1/deployments", False),
    ],
)
def test_a_watch_is_told_by_its_path(path: str, expected: bool) -> None:
    """Of a kind everywhere, in a namespace, of one object, in both ways to ask."""
    assert watches(path, "/apis/apps/v1", "deployments") is expected
