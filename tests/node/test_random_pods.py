"""Random pods on a simulated node with random faults: what must hold all the time, and in the end.

One seed again: ``pytest tests/node/test_random_pods.py -k 'holds[17]'``.
"""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from typing import Any

import pytest

from actors import _lifecycle as lifecycle
from actors.testing import virtual
from orchestrator.node import simulated_node
from orchestrator.node.runtime import ContainerExited, ContainerSpec, ContainerStarted
from orchestrator.store import DeleteOptions

SIM = "simulation.orchestrator/"


class Watch:
    """Looks over the runtime's shoulder."""

    def __init__(self, runtime: Any) -> None:
        self.runtime = runtime
        self.begin = runtime._begin
        self.broken: list[str] = []
        self.finished: set[tuple[str, str]] = set()
        self.begun: set[tuple[str, str]] = set()
        self.lives: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.tell = runtime._tell
        runtime._begin = self.check
        runtime._tell = self.hear

    def hear(self, event: Any) -> None:
        """Remember when a container ran."""
        if isinstance(event, ContainerExited):
            life = event.started_at, event.finished_at
            whose = event.of.uid, event.of.container
            self.lives.setdefault(whose, []).append(life)
            if event.exit_code == 0:
                self.finished.add(whose)
        self.tell(event)

    def doubles(self) -> list[tuple[str, str]]:
        """Return containers two of which ran at the same time for more than an instant."""
        found = []
        for whose, lives in self.lives.items():
            # A start that a failed actor had asked for is ended as soon as it comes true.
            real = sorted((begun, ended) for begun, ended in lives if begun < ended)
            if any(ended > begun for (_, ended), (begun, _) in pairwise(real)):
                found.append(whose)
        return found

    def check(self, spec: ContainerSpec, behaviour: Any) -> ContainerStarted:
        uid, name = spec.of.uid, spec.of.container
        if spec.init and (uid, name) in self.finished:
            self.broken.append(f"{name} of {uid} ran again after it had ended well")
        for entry in spec.pod["spec"].get("initContainers") or ():
            if entry["name"] == name:
                break
            # A sidecar may be down by now, if it was up once.
            done = self.begun if entry.get("restartPolicy") else self.finished
            if (uid, entry["name"]) not in done:
                self.broken.append(f"{name} of {uid} was started before {entry['name']}")
        self.begun.add((uid, name))
        started: ContainerStarted = self.begin(spec, behaviour)
        return started


def random_pod(chance: random.Random) -> tuple[dict[str, Any], dict[str, str]]:
    """Return keyword arguments of a pod that gets where it is to get to, and its script."""
    script: dict[str, str] = {}

    def probe() -> dict[str, Any]:
        return {
            "httpGet": {"port": 80},
            "initialDelaySeconds": chance.randrange(3),
            "periodSeconds": chance.randrange(1, 4),
            "failureThreshold": 50,
            "successThreshold": 1,
        }

    def some(name: str, of: dict[str, Any]) -> dict[str, Any]:
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            if chance.random() < 0.4:
                of[kind] = probe()
        if "startupProbe" in of and chance.random() < 0.5:
            script[f"{name}.started-after-seconds"] = str(chance.randrange(9))
        if "readinessProbe" in of and chance.random() < 0.5:
            script[f"{name}.ready-after-seconds"] = str(chance.randrange(20))
        if chance.random() < 0.3:
            pause = {"sleep": {"seconds": chance.randrange(1, 5)}}
            of["lifecycle"] = {chance.choice(("postStart", "preStop")): pause}
        if chance.random() < 0.3:
            script[f"{name}.start-seconds"] = str(chance.randrange(5))
        if chance.random() < 0.3:
            script[f"{name}.stop-seconds"] = str(chance.randrange(1, 9))
        return of

    inits = []
    for index in range(chance.randrange(4)):
        entry: dict[str, Any] = {"name": f"i{index}", "image": "i"}
        if chance.random() < 0.4:
            entry["restartPolicy"] = "Always"
            if chance.random() < 0.3:
                script[f"i{index}.run-seconds"] = str(chance.randrange(20, 60))
            some(entry["name"], entry)
        else:
            script[f"i{index}.run-seconds"] = str(chance.randrange(6))
        inits.append(entry)
    names = [f"c{index}" for index in range(chance.randrange(1, 3))]
    spec: dict[str, Any] = {"containers": [some(n, {"name": n, "image": "i"}) for n in names]}
    if inits:
        spec["initContainers"] = inits
    if chance.random() < 0.4:
        spec["restartPolicy"] = chance.choice(("Never", "OnFailure"))
        for name in names:
            script[f"{name}.run-seconds"] = str(chance.randrange(1, 40))
    return spec, script


@pytest.mark.parametrize("seed", range(25))
def test_what_is_said_of_pods_holds(clusters: Any, simulated: Any, seed: int) -> None:
    """Order, at most one of each container, no init container twice; all end where they should."""
    chance = random.Random(seed)

    @virtual
    async def scenario() -> None:
        async with clusters(simulated(), [simulated_node(1)]) as cluster:
            watch = Watch(cluster.manager._runtimes["simulated"])
            specs = {f"p{index}": random_pod(chance) for index in range(6)}
            kept = dict(specs)
            for name, (spec, script) in specs.items():
                annotations = {SIM + key: value for key, value in script.items()}
                await cluster.run(name, annotations=annotations, **spec)
            for _ in range(12):
                await asyncio.sleep(chance.random() * 6)
                await _disturb(cluster, chance, kept)
            await asyncio.sleep(400)
            assert watch.broken == []
            for name, (spec, script) in kept.items():
                status = cluster.pod(name)["status"]
                if spec.get("restartPolicy"):
                    assert status["phase"] in ("Succeeded", "Failed"), (name, status)
                    continue
                assert status["phase"] == "Running", (name, status)
                sidecars = [
                    item["name"]
                    for item in spec.get("initContainers") or ()
                    if item.get("restartPolicy")
                ]
                if any(f"{sidecar}.run-seconds" in script for sidecar in sidecars):
                    continue  # it ends again and again
                conditions = {item["type"]: item["status"] for item in status["conditions"]}
                assert set(conditions.values()) == {"True"}, (name, status)
            for name in list(kept):
                await cluster.store.delete("pods", "default", name)
            await asyncio.sleep(60)
            assert cluster.store.list("pods") == []
            assert cluster.manager._runtimes["simulated"].pods("node-1") == set()
            assert cluster.manager._ref.rare().children["node-1"].rare().children == {}
            assert (watch.broken, watch.doubles()) == ([], [])

    scenario()


async def _disturb(cluster: Any, chance: random.Random, kept: dict[str, Any]) -> None:
    node = cluster.manager._ref.rare().children["node-1"]
    roll = chance.random()
    if roll < 0.5:
        for cell in list(node.rare().children.values()):
            if chance.random() < 0.5:
                lifecycle.fail(cell, RuntimeError("a fault"))
    elif roll < 0.6:
        lifecycle.fail(node, RuntimeError("a fault"))
    elif roll < 0.8 and len(kept) > 2:
        name = chance.choice(sorted(kept))
        del kept[name]
        options = DeleteOptions(grace_period_seconds=chance.choice((None, None, 0, 3)))
        await cluster.store.delete("pods", "default", name, options=options)
