"""What is called wrongly says so at once, instead of waiting for ever or doing something else."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator import Cluster, ClusterError, StatusError, WaitTimeoutError
from tests.embedded.kit import config_map, on_a_real_loop


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"runtime": "docker"}, "runtime='docker': choose one of simulated, process"),
        ({"time": "fast"}, "time='fast': choose one of real, manual, auto"),
        ({"listen": "/tmp/api.sock"}, r"listen='/tmp/api.sock': .*Path\('/tmp/api.sock'\)"),
        ({"nodes": -1}, "nodes=-1: give a whole number"),
        ({"nodes": "3"}, "nodes='3': give a whole number"),
        ({"seed": "a"}, "seed='a': give a whole number"),
        ({"epoch": math.nan}, "epoch=nan: give seconds as a number"),
        ({"client_grace": -1}, "client_grace=-1: give seconds as a number"),
        ({"kubernetes_version": 1.35}, 'kubernetes_version=1.35: give a text, "1.35"'),
        ({"history": -1}, "history=-1: give a whole number"),
        ({"node_capacity": {"cpu": "lots"}}, "node_capacity: cpu='lots': quantities must match"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    """A word that is none of the choices is not taken for one of them."""
    with pytest.raises(ClusterError, match=said):
        Cluster(**given)


def test_a_directory_may_be_a_text(tmp_path: Path) -> None:
    """As everywhere in Python."""
    directory: Any = str(tmp_path)
    assert Cluster(data_dir=directory).config.data_dir == tmp_path


def test_a_clock_before_the_start_says_that_there_was_none() -> None:
    """The clock is an attribute that comes with the start."""
    cluster = Cluster()
    with pytest.raises(ClusterError, match="not started"):
        _ = cluster.clock
    with pytest.raises(AttributeError, match="'Cluster' object has no attribute 'klock'"):
        _ = cluster.klock


@on_a_real_loop
async def test_wrong_times_targets_and_conditions_are_refused_at_once() -> None:
    """Each of these waited for ever, passed, or complained of something within the library."""
    async with Cluster(nodes=1) as cluster:
        clock, began = cluster.clock, cluster.clock.now()
        for endless in (math.nan, math.inf):
            with pytest.raises(ValueError, match="never ends"):
                await clock.advance(endless)
            with pytest.raises(ValueError, match="never ends"):
                await clock.advance_until(lambda: False, hours=endless)
            with pytest.raises(ValueError, match=r"timeout: .*never ends"):
                await cluster.wait("pod/web", timeout=endless)
        text: Any = "30s"
        with pytest.raises(TypeError, match="timeout: give a time as a number, not '30s'"):
            await cluster.wait("pod/web", timeout=text)
        with pytest.raises(TypeError, match="advance: give a time as a number, not '30s'"):
            await clock.advance(text)
        for target in ("pod/", "pod/default/web", ""):
            with pytest.raises(ValueError, match=r"cannot read .*name an object as"):
                await cluster.wait(target)
        pod: Any = {"kind": "Pod"}
        with pytest.raises(TypeError, match="name an object as text"):
            await cluster.wait(pod)
        number: Any = 5
        with pytest.raises(TypeError, match="cannot wait for 5"):
            await cluster.wait("node/node-1", number)
        with pytest.raises(ValueError, match="returned something to be awaited"):
            await cluster.wait("node/node-1", lambda _: cluster.api.list("pods"))
        with pytest.raises(WaitTimeoutError, match="there are none"):
            await cluster.wait("pods", labels="app=web", timeout=0)
        with clock.held(), pytest.raises(ClusterError, match="this block holds the clock"):
            await clock.advance(1)
        with clock.held(), pytest.raises(ClusterError, match="this block holds the clock"):
            await cluster.wait("pod/web")
        with pytest.raises(ValueError, match="sleep: a time of nan"):
            await clock.sleep(math.nan)
        with pytest.raises(ClusterError, match="run_seconds: nan seconds are none"):
            cluster.image("web:1", run_seconds=math.nan)
        with pytest.raises(ClusterError, match="run_seconds: '5' seconds are none"):
            cluster.image("web:1", run_seconds=cast("float", "5"))
        labels: Any = {"app": "web"}
        with pytest.raises(TypeError, match="give labels as text"):
            await cluster.wait("pods", labels=labels)
        several: Any = [config_map()]
        with pytest.raises(TypeError, match=r"not list; cluster\.apply takes lists"):
            await cluster.api.create(several)
        misspelt = cluster.webhook(print, "configmaps", failurePolcy="Ignore")
        with pytest.raises(TypeError, match="a webhook has no field failurePolcy: choose of"):
            await misspelt.__aenter__()
        with pytest.raises(TypeError, match="a function of the request, not 5"):
            await cluster.webhook(number, "configmaps").__aenter__()
        with pytest.raises(TypeError, match=r"give the command as a list, \['ls', '-l'\]"):
            await cluster.api.exec("web", "ls -l")
        assert clock.now() == began
        await clock.advance(1)
        assert clock.now() == began + 1


@on_a_real_loop
async def test_a_handler_that_fails_is_shown_and_not_how_it_was_called() -> None:
    """The refusal begins with its error, and its frames are its own."""

    def careless(request: dict[str, Any]) -> None:
        raise LookupError(request["name"])

    async with Cluster(nodes=1) as cluster, cluster.webhook(careless, "configmaps"):
        with pytest.raises(StatusError) as refused:
            await cluster.api.create(config_map())
    said = refused.value.message
    assert "LookupError: settings" in said
    assert "in careless" in said
    assert "embedded/webhooks.py" not in said


def test_a_cluster_that_nobody_stopped_leaves_no_directory() -> None:
    """A notebook, or a program that fails before its ``finally``."""
    program = """
import asyncio
from orchestrator import Cluster

async def main():
    cluster = Cluster(nodes=1, listen=None)
    await cluster.start()
    print(cluster.core.directory)

asyncio.run(main())
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert Path(run.stdout.strip()).name.startswith("orchestrator-")
    assert not Path(run.stdout.strip()).exists()


@pytest.mark.cluster(versions="1.34")
def test_one_version_may_be_a_text(cluster_version: str) -> None:
    """Its characters are not versions."""
    assert cluster_version == "1.34"
