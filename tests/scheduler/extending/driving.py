"""A scheduler without a loop or a store: enough of one to drive plugins in tests."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from orchestrator.resources.objects import Key, Object
from orchestrator.resources.selectors import LabelSelector
from orchestrator.scheduler.configuration import parse_configuration
from orchestrator.scheduler.core.classes import PodClass, PodClasses
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.diagnosis import diagnose
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.placement import Placer
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.extending import Plugin
from orchestrator.scheduler.extending.adapting import PluginFailed
from orchestrator.scheduler.extending.cycle import Bind, ExtensionCycle, Hold, Placement, Refuse
from orchestrator.scheduler.extending.registry import find_plugins, registry_of
from orchestrator.scheduler.extending.views import PodView


def node(name: str, cpu: str = "4", **labels: str) -> Object:
    """A node."""
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {"about": name}},
        "spec": {},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}},
    }


def pod(name: str, cpu: str = "1", labels: dict[str, str] | None = None, **more: Any) -> Object:
    """A pod of namespace ``default``."""
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": labels or {},
            **more,
        },
        "spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]},
    }


class Objects:
    """Objects by resource, namespace and name."""

    def __init__(self) -> None:
        self.all: dict[tuple[str, str, str], Object] = {}
        self.sequence = 0

    def put(self, resource: str, obj: Object) -> None:
        """Add or replace an object."""
        self.sequence += 1
        metadata = obj["metadata"]
        self.all[resource, metadata.get("namespace", ""), metadata["name"]] = obj

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return an object."""
        return self.all.get((resource, namespace, name))

    def list(
        self, resource: str, namespace: str | None = None, *, labels: LabelSelector | None = None
    ) -> list[Object]:
        """Return objects."""
        return [
            obj
            for (kind, where, _), obj in self.all.items()
            if kind == resource
            and (namespace is None or where == namespace)
            and (labels is None or labels.matches(obj["metadata"].get("labels")))
        ]


class Candidate:
    """A pod to place."""

    def __init__(self, obj: Object, pod_class: PodClass) -> None:
        metadata = obj["metadata"]
        self.uid: str = metadata["uid"]
        self.key = Key("pods", metadata["namespace"], metadata["name"])
        self.pod_class = pod_class


class Scheduling:
    """Places pods one after another when asked to, with one profile."""

    def __init__(
        self, nodes: Sequence[Object], *plugins: type[Plugin], profile: dict[str, Any] | None = None
    ) -> None:
        known = find_plugins(plugins)
        if profile is None:
            enabled = [{"name": plugin.name or plugin.__name__} for plugin in plugins]
            profile = {"plugins": {"multiPoint": {"enabled": enabled}}}
        configuration = parse_configuration(
            {
                "apiVersion": "kubescheduler.config.k8s.io/v1",
                "kind": "KubeSchedulerConfiguration",
                "profiles": [profile],
            },
            registry_of(known),
        )
        self.now = 0.0
        self.objects = Objects()
        self.failures: list[PluginFailed] = []
        self.activated: list[tuple[list[str], float]] = []
        self.cycle = ExtensionCycle(
            configuration,
            known,
            reader=self.objects,
            monotonic=lambda: self.now,
            random=lambda: Random(1),
            activate=lambda uids, after: self.activated.append((list(uids), after)),
            report=self.failures.append,
        )
        self.cluster = self.cycle.cluster = Cluster()
        for one in nodes:
            self.objects.put("nodes", one)
            self.cluster.put_node(one, None)
        (self.profile,) = configuration.profiles
        self.plugins = self.cycle.profiles[self.profile.scheduler_name]
        self.framework = Framework(self.profile, self.plugins.filters, self.plugins.scores)
        self.placer = Placer(self.cluster, Random(1).random, framework=self.framework)
        self.classes = PodClasses()
        self.bound: dict[str, str] = {}
        self.refused: dict[str, str] = {}

    def add(self, *pods: Object) -> None:
        """Let pods exist."""
        for one in pods:
            self.objects.put("pods", one)

    def place(self, obj: Object) -> str:
        """Try a pod: return its node, "waits", or the message of its rejection."""
        self.objects.put("pods", obj)
        pod_class = self.classes.of(obj)
        name = obj["metadata"]["name"]
        self.refused.pop(name, None)
        with self.plugins.about(pod_class, obj) as view:
            found = self.placer.find_best(pod_class)
            if found is None:
                message = diagnose(pod_class, self.cluster, framework=self.framework).message
                self.plugins.post_filter(view, message)
                self.settle()
                return message
        candidate = Candidate(obj, pod_class)
        self.cluster.place(PodState(candidate.uid, candidate.key, pod_class), found.name)
        outcome = self.cycle.admit(
            Placement(candidate, found.name, self.profile.scheduler_name, PodView(pod_class, obj))
        )
        if not isinstance(outcome, Hold):
            self._carry_out(outcome)
        self.settle()
        if isinstance(outcome, Hold) and name not in self.bound and name not in self.refused:
            return "waits"
        return self.bound.get(name) or self.refused[name]

    def settle(self) -> None:
        """Carry out what was decided about pods that waited."""
        for outcome in self.cycle.take():
            self._carry_out(outcome)

    def _carry_out(self, outcome: Bind | Refuse) -> None:
        candidate = outcome.placement.pod
        if isinstance(outcome, Bind):
            node = outcome.placement.node
            self.bound[candidate.key.name] = node
            obj = self.objects.get(*candidate.key) or {}
            self.objects.put("pods", {**obj, "spec": {**obj["spec"], "nodeName": node}})
            self.refused.pop(candidate.key.name, None)
            self.cycle.bound(outcome.placement)
        else:
            self.refused[candidate.key.name] = outcome.message
            self.cluster.displace(candidate.uid)
