"""A cluster in which pods preempt one another."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from dataclasses import replace

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.diagnosis import Diagnoser
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.preemption import Preemptor
from tests.scheduler.twin.builders import Object, thing
from tests.scheduler.twin.snapshot import Snapshot
from tests.scheduler.twin.strategies import NodeRecipe, PodRecipe, Step
from tests.scheduler.twin.worlds import World

PRIORITIES = (0, 10, 5, -1)
CPUS = ("2", "1", "3", "500m")
FEW = 3
"""So many candidates are enough where the preemptor has to be content with a part of the nodes."""


class Contested(World):
    """A cluster in which pods preempt one another."""

    def __init__(
        self, nodes: list[NodeRecipe], pods: list[PodRecipe], seed: int, few: bool
    ) -> None:
        super().__init__(nodes, pods)
        self.nominated: dict[str, Object] = {}
        self.disruption_budgets: dict[str, Object] = {}
        self.nominations = self.cluster.nominations
        self.budgets = Budgets()
        self.few = few
        chance = random.Random(seed).random
        self.preemptor = Preemptor(
            self.cluster,
            self.budgets,
            chance,
            percentage=1,
            absolute=FEW if few else 100,
            limit=3,
        )
        self.diagnoser = Diagnoser(self.cluster, DEFAULT_FRAMEWORK, limit=3)
        self._minutes = itertools.count()

    @property
    def snapshot(self) -> Snapshot:
        return replace(
            super().snapshot,
            nominated=list(self.nominated.values()),
            budgets=list(self.disruption_budgets.values()),
        )

    def next_pod(self, step: Step) -> Object:
        """Make the next pod of a template, often a large one, of some priority."""
        made = super().next_pod(step)
        spec = {**made["spec"], "priority": PRIORITIES[step.other % len(PRIORITIES)]}
        spec.pop("preemptionPolicy", None)
        first, *others = spec["containers"]
        requests = {**first["resources"]["requests"], "cpu": CPUS[step.which % len(CPUS)]}
        spec["containers"] = [{**first, "resources": {"requests": requests}}, *others]
        return {**made, "spec": spec}

    def place(self, pod: Object, node: str) -> None:
        """Let a pod run on a node, since a minute in which no other began to."""
        status = {"phase": "Running", "startTime": f"2026-01-01T00:{next(self._minutes):02}:00Z"}
        self._put_pod({**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status})

    def nominate(self, pod: Object, node: str) -> None:
        """Keep a pod's place on a node."""
        self.nominated[pod["metadata"]["name"]] = {**pod, "status": {"nominatedNodeName": node}}
        self.nominations.add(self.state_of(pod), node)

    def forget_nomination(self, step: Step) -> None:
        """Let somebody who waits for a place give up."""
        if self.nominated:
            name = list(self.nominated)[step.which % len(self.nominated)]
            gone = self.nominated.pop(name)
            self.nominations.remove(gone["metadata"]["uid"])

    def put_budget(self, step: Step) -> None:
        """Protect the pods of an application, more or less."""
        app = "ab"[step.which % 2]
        budget = thing(
            f"budget-{app}",
            spec={"selector": {"matchLabels": {"app": app}}},
            status={"disruptionsAllowed": step.other - 2, "disruptedPods": {f"p{step.which}": ""}},
        )
        self.disruption_budgets[app] = budget
        self.budgets.put(Key("poddisruptionbudgets.policy", "default", app), budget)

    def evict(self, names: Iterable[str]) -> None:
        """Let pods go at once."""
        for name in names:
            self.cluster.displace(self.pods.pop(name)["metadata"]["uid"])

    def dismiss(self, names: Iterable[str]) -> None:
        """Let pods take their time to go, on account of a preemption."""
        condition = {"type": "DisruptionTarget", "status": "True"}
        condition["reason"] = "PreemptionByScheduler"
        for name in names:
            pod = self.pods[name]
            metadata = {**pod["metadata"], "deletionTimestamp": "2026-01-01T01:00:00Z"}
            status = {**pod["status"], "conditions": [condition]}
            self._put_pod({**pod, "metadata": metadata, "status": status})

    def give_up(self, name: str) -> None:
        """Let a pod be nominated to no node any more."""
        self.nominations.remove(self.nominated.pop(name)["metadata"]["uid"])


def roomy(recipe: NodeRecipe) -> NodeRecipe:
    """Make a node large enough to be fought for."""
    given = recipe.allocatable
    pods = given["pods"] if given["pods"] == "3" else "110"
    cpu = given["cpu"] if given["cpu"] in {"2", "8"} else "4"
    return recipe._replace(
        allocatable={**given, "cpu": cpu, "memory": "8Gi", "pods": pods}, cordoned=False
    )
