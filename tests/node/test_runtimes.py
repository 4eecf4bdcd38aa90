"""The conformance suite: what any runtime must do, run against both."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors import RealClock
from orchestrator.node import (
    Behaviour,
    ContainerExited,
    ContainerOf,
    ContainerRefused,
    ContainerSpec,
    ContainerStarted,
    ProcessConfig,
    ProcessRuntime,
    Runtime,
    SimulatedRuntime,
)
from orchestrator.node.simulated import behaviour_of

UID = "uid-1"
SCRIPTS: dict[str, tuple[tuple[str, ...], Behaviour]] = {
    "runs": (("sleep", "300"), Behaviour()),
    "ends": (("sh", "-c", "exit 3"), Behaviour(run_seconds=0.01, exit_code=3)),
    "refused": (("/nope",), Behaviour(refuse="no such file")),
    "rude": (
        ("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"),
        Behaviour(stop_seconds=None),
    ),
    "slow": (("sleep", "300"), Behaviour(start_seconds=0.01)),
}


class Driver:
    """A runtime and what it told."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        runtime.attach("n", self.events.put_nowait)

    def start(self, name: str, attempt: int = 0) -> str:
        identity = self.runtime.identify()
        argv, _ = SCRIPTS[name]
        of = ContainerOf("n", UID, name, attempt)
        pod = {"metadata": {"name": "p", "namespace": "default", "uid": UID}}
        env = {"PATH": "/bin:/usr/bin"}
        spec = ContainerSpec(identity, of, pod, {"name": name}, "127.0.0.9", argv, env)
        started = self.runtime.start(spec)
        if started is not None:
            self.events.put_nowait(started)
        return identity

    async def next(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(10):
            event = await self.events.get()
        assert isinstance(event, kind), event
        return event

    async def until_written(self, name: str) -> None:
        """Wait until a program has written its first line; a simulated one never does."""
        if isinstance(self.runtime, ProcessRuntime):
            async with asyncio.timeout(10):
                while not any(
                    log.stat().st_size
                    for log in self.runtime.directory.glob(f"pods/*/{name}/*.log")
                ):
                    await asyncio.sleep(0.005)


@pytest.fixture(params=["process", "simulated"])
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    """Each runtime in turn."""
    runtime: Runtime
    if request.param == "process":
        runtime = ProcessRuntime(ProcessConfig(directory=tmp_path / "process"), RealClock())
    else:
        runtime = SimulatedRuntime(
            RealClock(), random.Random(1), script=lambda spec: SCRIPTS[spec.of.container][1]
        )
    await runtime.open()
    yield Driver(runtime)
    await runtime.close(grace=0)


async def test_a_started_container_is_told_and_known(driver: Driver) -> None:
    """With whose it is, by pod and by node."""
    identity = driver.start("runs")
    started = await driver.next(ContainerStarted)
    assert started.id == identity
    assert started.of == ContainerOf("n", UID, "runs", 0)
    (record,) = driver.runtime.known(UID)
    assert (record.started, record.exited, record.address) == (started, None, "127.0.0.9")
    assert driver.runtime.pods("n") == {UID}
    assert driver.runtime.pods("other") == set()


async def test_a_container_that_ends_tells_its_exit_code(driver: Driver) -> None:
    """After its start, and stays known until it is removed."""
    identity = driver.start("ends")
    await driver.next(ContainerStarted)
    exited = await driver.next(ContainerExited)
    assert (exited.exit_code, exited.signal, exited.lost) == (3, 0, "")
    assert exited.finished_at >= exited.started_at
    assert driver.runtime.known(UID)[0].exited == exited
    driver.runtime.remove(identity)
    assert driver.runtime.known(UID) == ()
    assert driver.runtime.pods("n") == set()


async def test_a_container_that_cannot_start_is_refused_with_a_reason(driver: Driver) -> None:
    """And leaves nothing."""
    driver.start("refused")
    refused = await driver.next(ContainerRefused)
    assert "no such file" in refused.message
    assert driver.runtime.known(UID) == ()


async def test_a_start_that_takes_time_is_told_when_it_has_happened(driver: Driver) -> None:
    """The simulated one waits its start seconds."""
    driver.start("slow")
    await driver.next(ContainerStarted)


@pytest.mark.parametrize(("grace", "code"), [(30, 143), (0, 137)])
async def test_a_stop_ends_a_container_politely_or_at_once(
    driver: Driver, grace: float, code: int
) -> None:
    """SIGTERM with a grace, SIGKILL without."""
    identity = driver.start("runs")
    await driver.next(ContainerStarted)
    driver.runtime.stop(identity, grace)
    assert (await driver.next(ContainerExited)).exit_code == code


async def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(driver: Driver) -> None:
    """And a second, shorter grace replaces the first."""
    identity = driver.start("rude")
    await driver.next(ContainerStarted)
    await driver.until_written("rude")
    driver.runtime.stop(identity, 300)
    driver.runtime.stop(identity, 0.05)
    assert (await driver.next(ContainerExited)).exit_code == 137


async def test_stopping_and_removing_what_is_not_there_is_harmless(driver: Driver) -> None:
    """Both may be repeated."""
    driver.runtime.stop("0" * 64, 0)
    driver.runtime.remove("0" * 64)
    identity = driver.start("runs")
    await driver.next(ContainerStarted)
    driver.runtime.stop(identity, 0)
    await driver.next(ContainerExited)
    driver.runtime.stop(identity, 0)
    driver.runtime.remove(identity)
    driver.runtime.remove(identity)


async def test_a_detached_node_hears_nothing_but_its_containers_stay(driver: Driver) -> None:
    """Until it is attached again."""
    driver.start("runs")
    await driver.next(ContainerStarted)
    driver.runtime.detach("n")
    driver.start("refused")
    heard = driver.events.qsize()
    driver.runtime.attach("n", driver.events.put_nowait)
    assert heard == 0
    assert len(driver.runtime.known(UID)) == 1


def test_annotations_script_a_simulated_container() -> None:
    """What they do not say is the default's."""
    prefix = "simulation.orchestrator/"
    pod = {
        "metadata": {
            "annotations": {
                f"{prefix}run-seconds": "5",
                f"{prefix}exit-code": "2",
                f"{prefix}stop-seconds": "never",
                "other": "x",
            }
        }
    }
    spec = ContainerSpec("i", ContainerOf("n", "u", "c", 0), pod, {"name": "c"})
    assert behaviour_of(spec) == Behaviour(run_seconds=5.0, exit_code=2, stop_seconds=None)
