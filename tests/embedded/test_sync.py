"""The library without asyncio: the same cluster, on a thread of its own."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Cluster, StatusError
from orchestrator.embedded import ClusterError, WaitTimeoutError
from orchestrator.embedded.client.client import Client
from orchestrator.embedded.clock.clocks import ClusterClock
from orchestrator.embedded.sync import SyncClient, SyncClock, SyncCluster
from tests.embedded.kit import EPOCH, config_map, deployment
from tests.project.twins import LEFT_OUT, TARGET, sources


def test_the_twins_say_what_the_asynchronous_classes_say() -> None:
    """After a change there, ``python -m tests.project.twins`` writes them anew."""
    written = {file.name: file.read_text(encoding="utf-8") for file in TARGET.glob("*.py")}
    assert written == sources(), "run python -m tests.project.twins"


@pytest.mark.parametrize(
    ("original", "twin"),
    [(Cluster, SyncCluster), (Client, SyncClient), (ClusterClock, SyncClock)],
)
def test_every_public_name_has_its_twin(original: type, twin: type) -> None:
    """None is forgotten, whatever way it is defined in."""
    ours = {name for name in vars(original) if not name.startswith("_")} - LEFT_OUT
    assert ours - {name for name in dir(twin) if not name.startswith("_")} <= {"mode", "config"}


def test_a_program_without_asyncio_does_what_others_do() -> None:
    """Apply, wait, let time pass, list, watch, open a client; names are the same."""
    with Cluster.sync(nodes=2, epoch=EPOCH) as cluster:
        cluster.apply(deployment())
        found = cluster.wait("deployment/web", "Available")
        assert found is not None
        assert found["status"]["availableReplicas"] == 2
        cluster.clock.advance(hours=1)
        assert 3600 <= cluster.clock.now() - EPOCH < 3700
        assert len(cluster.api.list("pods", labels="app=web")) == 2
        with cluster.client("kube-system", user="nobody") as api, pytest.raises(StatusError):
            api.list("secrets")
        assert cluster.url.startswith("http://127.0.0.1:")
        assert cluster.kubeconfig.is_file()
    assert not cluster.kubeconfig.exists()
    assert cluster.version > 0


def test_a_watch_is_iterated_over_and_let_go_of_with_the_loop_or_the_block() -> None:
    """A loop that is left leaves the watch to the cluster's end."""
    with Cluster.sync(nodes=2, listen=None) as cluster:
        for event in cluster.api.watch("nodes"):
            assert event.type == "ADDED"
            break
        with cluster.api.watch("configmaps", since=cluster.version) as events:
            cluster.api.create(config_map("one"))
            cluster.api.delete("configmaps", "one")
            told = [next(events), next(events)]
        assert [event.type for event in told] == ["ADDED", "DELETED"]
        assert list(events) == []
        with pytest.raises(StatusError, match="nonsense"):
            next(cluster.api.watch("nonsense"))


def test_nodes_and_faults_have_twins() -> None:
    """They are handles of their own."""
    with Cluster.sync(nodes=2, listen=None) as cluster:
        with cluster.faults.api(verb="create", kind="ConfigMap", error=409, times=1) as fault:
            with pytest.raises(StatusError, match="already exists"):
                cluster.api.create(config_map("one"))
            cluster.api.create(config_map("two"))
            assert [each.description for each in cluster.faults.active] == [fault.description]
        assert fault.hits == 1
        node = cluster.nodes["node-1"]
        node.crash()
        cluster.wait("node/node-1", "Ready=Unknown", timeout=120)
        assert (list(cluster.nodes), node.state) == (["node-1", "node-2"], "crashed")
        assert cluster.nodes.add(labels={"a": "b"}).name == "node-3"


def test_errors_come_to_the_caller_with_the_place_where_they_happened() -> None:
    """The library's own classes, and the frames of both threads."""
    with Cluster.sync(nodes=1, listen=None) as cluster:
        with pytest.raises(StatusError) as caught:
            cluster.api.get("pods", "none")
        assert caught.value.code == 404
        frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert frames[0] == "test_errors_come_to_the_caller_with_the_place_where_they_happened"
        assert {"get", "call"} <= set(frames)
        with pytest.raises(WaitTimeoutError, match="it does not exist"):
            cluster.wait("deployment/none", timeout=1)
        with pytest.raises(ZeroDivisionError):
            cluster.wait("nodes", lambda _: 1 / 0)


def test_threads_share_a_cluster_and_a_program_has_several() -> None:
    """Each call waits for its own answer."""
    with Cluster.sync(nodes=1, listen=None) as one, Cluster.sync(nodes=1, listen=None) as other:
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda at: one.api.create(config_map(f"m-{at}")), range(20)))
        assert len({obj["metadata"]["uid"] for obj in made}) == 20
        assert len(one.api.list("configmaps")) == 20
        assert other.api.list("configmaps") == []


def test_ctrl_c_ends_the_call_and_the_cluster() -> None:
    """Whoever waits for time that nobody moves can be interrupted; no thread stays."""
    before = set(threading.enumerate())
    main = threading.get_ident()
    interrupting = threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGINT])
    # A program that a shell began in the background takes no notice of it by default.
    noticed = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            _wait_in_vain(interrupting)
        interrupting.join()
    finally:
        signal.signal(signal.SIGINT, noticed)
    assert set(threading.enumerate()) == before


def _wait_in_vain(interrupting: threading.Timer) -> None:
    with Cluster.sync(nodes=1, listen=None) as cluster:
        interrupting.start()
        cluster.clock.sleep(10)


def test_what_fails_leaves_no_thread() -> None:
    """Neither a start that fails nor a block that does."""
    before = set(threading.enumerate())
    with pytest.raises(ClusterError, match="leave epoch out"):
        Cluster.sync(time="real", epoch=EPOCH).start()
    with pytest.raises(LookupError), Cluster.sync(nodes=1, listen=None):
        raise LookupError("ours")
    assert set(threading.enumerate()) == before


def test_who_still_waits_when_the_cluster_ends_is_told() -> None:
    """The others do not wait for ever."""
    cluster = Cluster.sync(nodes=1, listen=None)
    with pytest.raises(ClusterError, match=r"is not started: with Cluster.sync\(\)"):
        cluster.apply([])
    cluster.start()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cluster.clock.sleep, 10)
        cluster.clock.settle()
        cluster.stop()
        with pytest.raises(ClusterError, match="was stopped while this waited"):
            waiting.result(10)
    with pytest.raises(ClusterError, match="has stopped: make a new one"):
        cluster.apply([])
    cluster.stop()


@pytest.mark.leaves_tasks
def test_a_task_that_nobody_ends_is_complained_about() -> None:
    """The cluster ends all the same."""

    async def forget() -> None:
        forgotten.append(asyncio.create_task(asyncio.sleep(3600), name="forgotten"))

    forgotten: list[Any] = []
    before = set(threading.enumerate())
    with (
        pytest.raises(ClusterError, match=r"(?s)tasks were left.*name='forgotten'"),
        Cluster.sync(nodes=1, listen=None) as cluster,
    ):
        cluster.call(forget)
    assert set(threading.enumerate()) == before


def test_time_passes_until_what_the_caller_asks_the_cluster_for() -> None:
    """The condition runs on the thread that waits; its errors are raised there."""
    with Cluster.sync(nodes=1, listen=None, epoch=EPOCH) as cluster:
        threads = set()

        def is_late() -> bool:
            threads.add(threading.current_thread())
            cluster.api.list("pods")
            return cluster.clock.now() >= EPOCH + 600

        assert cluster.clock.advance_until(is_late, hours=1) is True
        assert threads == {threading.current_thread()}
        assert EPOCH + 600 <= cluster.clock.now() < EPOCH + 660
        with pytest.raises(ZeroDivisionError):
            cluster.clock.advance_until(lambda: 1 / 0)
        with pytest.raises(TimeoutError, match="did not hold within 30 s"):
            cluster.clock.advance_until(lambda: cluster.api.list("pods"), seconds=30)


def test_a_fork_lives_on_its_cluster_s_thread() -> None:
    """It ends by itself, or with the other."""
    before = set(threading.enumerate())
    with Cluster.sync(nodes=1, listen=None) as cluster:
        cluster.api.create(config_map("one"))
        with cluster.fork() as fork:
            fork.api.delete("configmaps", "one")
        forgotten = cluster.fork()
        assert len(forgotten.api.list("configmaps")) == 1
    assert set(threading.enumerate()) == before


def test_a_program_that_forgets_its_cluster_ends_all_the_same() -> None:
    """Nothing of it stays, and nobody waits for its thread."""
    program = (
        "from orchestrator import Cluster; cluster = Cluster.sync(nodes=1); cluster.start(); "
        "print(cluster.kubeconfig.parent)"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "unclosed" not in done.stderr
    assert not Path(done.stdout.strip()).exists()


def test_a_condition_that_calls_the_twin_is_refused_and_does_not_hang() -> None:
    """It runs on the thread that would have to answer."""
    with (
        Cluster.sync(nodes=1, listen=None) as cluster,
        pytest.raises(ClusterError, match="cannot wait for itself"),
    ):
        cluster.wait("nodes", lambda _: cluster.api.list("pods"))
