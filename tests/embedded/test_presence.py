"""A cluster that is not there says so, whatever is asked of it: docs/library/reference.md."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator import Cluster, ClusterError, SyncCluster
from orchestrator.embedded.client.client import Client
from orchestrator.embedded.clock.clocks import ClusterClock
from orchestrator.embedded.faults.faults import Faults
from orchestrator.embedded.nodes.nodes import NodeHandle, Nodes
from tests.embedded.kit import config_map, on_a_real_loop

Call = Callable[[], Any]

_POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}
_READ_ON = frozenset({
    "core", "store", "asgi", "httpx_transport", "seed", "version", "at", "diff", "history", "api",
    "faults", "nodes", "client", "images", "clock.now", "clock.time", "clock.held",
    "clock.shown_to", "clock.waiting", "api.kind", "nodes.get", "nodes.items", "nodes.keys",
    "nodes.values", "node.object", "node.ready", "node.pods", "node.schedulable", "node.state",
    "faults.active", "faults.clear", "faults.controllers",
})  # fmt: skip
"""What tells of a cluster that has stopped, or will say so once it is used."""
_APART = frozenset({"start", "stop", "sync", "clock.driven", "clock.until"})
"""Its life itself, and what is for those who build on the clock."""


def _calls(cluster: Cluster, snapshot: Any = None) -> Iterator[tuple[str, Call]]:
    """Every public method and property, called as a user might."""
    given: dict[str, tuple[Any, ...]] = {
        "kubeconfig_for": ("alice",),
        "token_for": ("alice",),
        "can": ("alice", "list", "pods"),
        "run": ("true",),
        "at": (1,),
        "diff": (1,),
        "history": ("node/node-1",),
        "record": ("/nowhere/run.db",),
        "restore": (snapshot,),
        "image": ("web:1",),
        "apply": (config_map(),),
        "install_crd": ({"type": "object", "properties": {"spec": {}}},),
        "webhook": (print, "pods"),
        "conversion_webhook": ("pods", print),
        "delete": (config_map(),),
        "wait": ("node/node-1",),
        "watched": ("pods",),
        "clock.advance": (1,),
        "clock.advance_until": (lambda: True,),
        "clock.sleep": (1,),
        "clock.shown_to": ("inspect",),
        "api.kind": ("pods",),
        "api.list": ("pods",),
        "api.create": (_POD,),
        "api.replace": (_POD,),
        "api.apply": (_POD,),
        "api.patch": ("pods", "web", {}),
        "api.scale": ("deployments", "web", 1),
        "api.watch": ("pods",),
        "api.exec": ("web", ["ls"]),
        "node.taint": ("dedicated=gpu:NoSchedule",),
        "node.untaint": ("dedicated",),
        "nodes.get": ("node-1",),
        "faults.crash_controller": ("deployment",),
    }
    named: dict[str, dict[str, Any]] = {
        "faults.api": {"error": 500},
        "install_crd": {"group": "example.com", "kind": "Shop"},
    }
    owners: dict[str, tuple[type, Call]] = {
        "": (Cluster, lambda: cluster),
        "clock.": (ClusterClock, lambda: cluster.clock),
        "api.": (Client, lambda: cluster.api),
        "nodes.": (Nodes, lambda: cluster.nodes),
        "node.": (NodeHandle, lambda: cluster.nodes["node-1"]),
        "faults.": (Faults, lambda: cluster.faults),
    }
    two = ("api.get", "api.find", "api.delete")
    one = ("api.evict", "api.logs", "api.follow_logs")
    given |= dict.fromkeys(two, ("pods", "web")) | dict.fromkeys(one, ("web",))
    for prefix, (kind, owner) in owners.items():
        for name, member in inspect.getmembers(kind):
            full = f"{prefix}{name}"
            if name.startswith("_") or full in _APART:
                continue
            args, options = given.get(full, ()), named.get(full, {})

            def call(
                name: str = name,
                owner: Call = owner,
                is_method: bool = callable(member),
                args: tuple[Any, ...] = args,
                options: dict[str, Any] = options,
            ) -> Any:
                found = getattr(owner(), name)
                return found(*args, **options) if is_method else found

            yield full, call


async def _tried(call: Call) -> Any:
    """Do it to its end; a context is entered and left."""
    found = call()
    if isinstance(found, contextlib.AsyncContextDecorator):
        async with cast("contextlib.AbstractAsyncContextManager[Any]", found):
            return found
    return await found if inspect.isawaitable(found) else found


async def _said_otherwise(calls: Iterator[tuple[str, Call]], said: str) -> dict[str, str]:
    """Return what did not raise a `ClusterError` that says so, with what it did instead."""
    others = {}
    for name, call in calls:
        try:
            async with asyncio.timeout(5):
                await _tried(call)
        except ClusterError as error:
            if said not in str(error):
                others[name] = str(error)
        except Exception as error:  # noqa: BLE001 - is to be seen beside the others
            others[name] = repr(error)
        else:
            others[name] = "nothing was said"
    return others


@on_a_real_loop
async def test_before_the_start_everything_says_that_it_is_not_started() -> None:
    """Images can be declared before: they are for what comes."""
    others = await _said_otherwise(_calls(Cluster()), "this cluster is not started: async with")
    assert sorted(others) == ["image", "images"]


@on_a_real_loop
async def test_after_the_end_everything_but_its_past_says_that_it_has_stopped() -> None:
    """One error for all methods; what it was can be read on."""
    async with Cluster(nodes=1) as cluster:
        await cluster.apply(config_map(colour="red"))
        version, snapshot = cluster.version, await cluster.snapshot()
    said = "this cluster has stopped: make a new one"
    others = await _said_otherwise(_calls(cluster, snapshot), said)
    assert {name: what for name, what in others.items() if what != "nothing was said"} == {}
    assert others.keys() == _READ_ON
    assert cluster.at(version).get("configmap", "settings")["data"] == {"colour": "red"}
    with pytest.raises(ClusterError, match="was started before: make a new one"):
        await cluster.start()
    await cluster.stop()


def test_on_another_event_loop_what_has_to_be_awaited_says_that_it_lives_elsewhere() -> None:
    """Two loops, such as those of two fixtures: nothing hangs, nothing half happens."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    cluster = Cluster(nodes=1)
    try:
        asyncio.run_coroutine_threadsafe(cluster.start(), loop).result()
        awaited = [
            (name, call)
            for name, call in _calls(cluster)
            if name in ("run", "fork", "apply", "snapshot", "webhook", "wait", "clock.advance")
            or (name.startswith(("api.", "node.")) and name.partition(".")[2] not in _PLAIN)
        ]
        others = asyncio.run(_said_otherwise(iter(awaited), "lives on another event loop than"))
        assert others == {}
        with pytest.raises(ClusterError, match="lives on another event loop"):
            asyncio.run(cluster.stop())
        assert cluster.kubeconfig.exists(), "what any thread may ask"
    finally:
        asyncio.run_coroutine_threadsafe(cluster.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


_PLAIN = frozenset({"kind", "namespace", "object", "ready", "pods", "schedulable", "state"})


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_cluster_whose_loop_has_ended_says_so() -> None:
    """Started in one ``asyncio.run`` and used in the next: the commonest way to get there."""
    cluster = Cluster(nodes=1, listen=None)
    asyncio.run(cluster.start())
    for call in (lambda: cluster.apply(config_map()), lambda: cluster.api.list("pods")):
        with pytest.raises(ClusterError, match=r"loop that this .* has ended.*one asyncio\.run"):
            asyncio.run(_tried(call))
    with pytest.raises(ClusterError, match="has ended, and the cluster with it"):
        asyncio.run(cluster.stop())


@pytest.mark.parametrize("mode", ["manual", "real"])
@on_a_real_loop
async def test_who_waits_for_a_cluster_that_stops_is_told(mode: Any) -> None:
    """Neither does the wait go on for ever, nor does it say that its time was over."""
    cluster = Cluster(nodes=1, time=mode)
    await cluster.start()
    waits: list[Call] = [
        lambda: cluster.wait("pod/none", timeout=100),
        lambda: cluster.clock.sleep(100),
        lambda: cluster.clock.advance_until(lambda: False, seconds=100),
        lambda: cluster.watched("pods"),
    ]
    with cluster.store.clock.held():
        running = [asyncio.create_task(_tried(wait)) for wait in waits]
        await asyncio.sleep(0)
        await cluster.stop()
    async with asyncio.timeout(5):
        ended = await asyncio.gather(*running, return_exceptions=True)
    said = "this cluster was stopped while this waited for it"
    assert [str(error) for error in ended] == [said] * len(waits)


_STOPPED = "this cluster has stopped: make a new one"


def _of_the_twin(cluster: SyncCluster) -> dict[str, Call]:
    return {
        "nodes": lambda: cluster.nodes["node-1"].crash(),  # noqa: PLW0108 - it is not there yet
        "clock": lambda: cluster.clock.advance(1),
        "api": lambda: cluster.api.list("pods"),
        "apply": lambda: cluster.apply(config_map()),
        "fork": cluster.fork,
        "restart": lambda: cluster.faults.restart(),  # noqa: PLW0108 - it is not there yet
        "watch": lambda: next(cluster.api.watch("pods")),
        "kubeconfig": lambda: cluster.kubeconfig,
        "call": lambda: cluster.call(asyncio.sleep, 0),
        "snapshot": cluster.snapshot,
        "webhook": lambda: cluster.webhook(print, "pods").__enter__(),
    }


def test_the_synchronous_twin_says_the_same() -> None:
    """With its own way to be started."""
    cluster = Cluster.sync(nodes=1)
    for call in _of_the_twin(cluster).values():
        with pytest.raises(ClusterError, match=r"is not started: with Cluster\.sync\(\)"):
            call()
    with cluster, pytest.raises(ClusterError, match="was started before"):
        cluster.start()
    for call in _of_the_twin(cluster).values():
        with pytest.raises(ClusterError, match=_STOPPED):
            call()
    with pytest.raises(ClusterError, match="was started before"):
        cluster.start()


@on_a_real_loop
async def test_a_cluster_that_could_not_start_says_so() -> None:
    """Whoever catches the error and goes on is told again."""
    cluster = Cluster(listen=Path("/nowhere/at/all/api.sock"))
    with pytest.raises(OSError, match="cannot listen on /nowhere/at/all"):
        await cluster.start()
    for call in (
        lambda: cluster.apply(config_map()),
        lambda: cluster.wait("node/node-1"),
        lambda: cluster.clock.advance(1),
        cluster.snapshot,
    ):
        with pytest.raises(ClusterError, match="could not start: make a new one"):
            await _tried(call)
    await cluster.stop()


@on_a_real_loop
async def test_two_clusters_at_one_place_do_not_hurt_each_other(tmp_path: Path) -> None:
    """A second one at a socket took it away from the first; a file that was there was removed."""
    place, file = tmp_path / "api.sock", tmp_path / "file"
    file.write_text("mine")
    async with Cluster(nodes=0, listen=place):
        with pytest.raises(OSError, match="somebody listens there; choose another path"):
            await Cluster(nodes=0, listen=place).start()
        assert place.is_socket()
        with pytest.raises(OSError, match="it is there, no socket; choose another path"):
            await Cluster(nodes=0, listen=file).start()
        assert file.read_text() == "mine"
    assert not place.exists()
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(place))
    async with Cluster(nodes=0, listen=place) as cluster:  # what is left of a killed one
        assert cluster.socket == place
    directory = tmp_path / "data"
    async with Cluster(nodes=0, listen=None, data_dir=directory):
        with pytest.raises(ClusterError, match=r"in use by process .* this one: close it there"):
            await Cluster(nodes=0, listen=None, data_dir=directory).start()
