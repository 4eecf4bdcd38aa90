"""Why a pod of an observed cluster would go where, or nowhere, by a scheduler's configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final, NamedTuple

from orchestrator.bench.failures import UserError
from orchestrator.bench.known import KnownObjects
from orchestrator.bench.planning.observed import (
    OWNERS,
    STORAGE,
    TELLS_OF_CLAIMS,
    Observed,
    label_of,
)
from orchestrator.bench.tables import Cell, Table
from orchestrator.resources.objects import (
    Key,
    Object,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
)
from orchestrator.scheduler.configuration import (
    DEFAULT_CONFIGURATION,
    DEFAULT_SCHEDULER_NAME,
    SchedulerConfiguration,
)
from orchestrator.scheduler.core.classes import PodClasses
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.explaining import Explanation, explain
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.owners import Kinships
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.volumes import VolumeDemand
from orchestrator.scheduler.extending.adapting import PluginFailed
from orchestrator.scheduler.extending.cycle import ExtensionCycle
from orchestrator.scheduler.extending.registry import NO_PLUGINS, Plugins

_RESOURCES: Final[Mapping[str, str]] = {
    "Node": "nodes",
    "Pod": "pods",
    "Namespace": "namespaces",
    "PriorityClass": "priorityclasses.scheduling.k8s.io",
    "PodDisruptionBudget": "poddisruptionbudgets.policy",
    **STORAGE,
    **OWNERS,
}


class Explained(NamedTuple):
    """An explanation, and what a reader should know of it.

    Attributes:
        pod: ``namespace/name``.
        node: Where the pod is; empty while it waits. It is explained as if it were not there.
        explanation: What becomes of every node.
        notes: What is not as it seems.
    """

    pod: str
    node: str
    explanation: Explanation
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-shaped data."""
        return {"pod": self.pod, "node": self.node, **self.explanation.as_json()}


def explain_pod(
    observed: Observed,
    namespace: str,
    name: str,
    configuration: SchedulerConfiguration = DEFAULT_CONFIGURATION,
    plugins: Plugins = NO_PLUGINS,
) -> Explained:
    """Ask a scheduler's plugins about every node for one pod.

    Args:
        observed: The cluster.
        namespace: Of the pod.
        name: Of the pod.
        configuration: Of the scheduler.
        plugins: All plugins beside the built-in ones.

    Raises:
        UserError: There is no such pod, no profile cares for it, or a plugin fails.
    """
    pods = observed.objects["Pod"]
    pod = next(
        (one for one in pods if name_of(one) == name and namespace_of(one) == namespace), None
    )
    if pod is None:
        raise UserError(f"pod {namespace}/{name} is not there (-n gives another namespace)")
    scheduler = spec_of(pod).get("schedulerName") or DEFAULT_SCHEDULER_NAME
    profile = configuration.by_name.get(scheduler)
    if profile is None:
        known = ", ".join(configuration.by_name)
        raise UserError(
            f"pod {namespace}/{name} is of the scheduler {scheduler}, of which the configuration "
            f"has no profile: it has {known} (--scheduler-config)"
        )
    notes = list(observed.notes)
    cluster, classes = _picture(observed, pod)
    try:
        cycle = ExtensionCycle(
            configuration,
            plugins,
            reader=_known(observed),
            monotonic=time.monotonic,
            random=lambda: Random(1),  # noqa: S311 - a plugin's, which explains the same twice
        )
        cycle.cluster = cluster
        own = cycle.profiles[scheduler]
        pod_class = classes.of(pod)
        with own.about(pod_class, pod):
            explanation = explain(
                pod_class,
                cluster,
                Framework(profile, own.filters, own.scores),
                preempts=spec_of(pod).get("preemptionPolicy") != "Never",
            )
    except (PluginFailed, ValueError) as error:
        raise UserError(str(error)) from error
    if gates := spec_of(pod).get("schedulingGates"):
        listed = ", ".join(str(gate.get("name")) for gate in gates)
        notes.append(f"the pod is not tried yet: it has the scheduling gates {listed}")
    return Explained(label_of(pod), spec_of(pod).get("nodeName") or "", explanation, notes)


def _picture(observed: Observed, asked: Object) -> tuple[Cluster, PodClasses]:
    """Build the scheduler's picture of a cluster, without one pod."""
    cluster = Cluster()
    for namespace in observed.objects["Namespace"]:
        cluster.put_namespace(name_of(namespace), labels_of(namespace))
    has_storage = False
    for kind, resource in STORAGE.items():
        for obj in observed.objects[kind]:
            cluster.volumes.put(resource, obj)
            has_storage = has_storage or kind in TELLS_OF_CLAIMS
    kin = Kinships()
    for kind, resource in OWNERS.items():
        for obj in observed.objects[kind]:
            kin.put(Key(resource, namespace_of(obj), name_of(obj)), obj, None)
    for node in observed.nodes:
        cluster.put_node(node, None)
    classes = PodClasses(
        default_selector=kin.selector_of, volumes=_volumes(cluster) if has_storage else None
    )
    for pod in observed.running:
        if pod is asked:
            continue
        metadata = pod["metadata"]
        key = Key("pods", namespace_of(pod), metadata["name"])
        state = PodState(
            metadata["uid"],
            key,
            classes.of(_released(pod)),
            priority=spec_of(pod).get("priority") or 0,
            terminating="deletionTimestamp" in metadata,
        )
        cluster.place(state, spec_of(pod)["nodeName"])
    return cluster, classes


def _volumes(cluster: Cluster) -> Callable[[Mapping[str, Any]], VolumeDemand | None]:
    def resolve(pod: Mapping[str, Any]) -> VolumeDemand | None:
        uid = pod["metadata"]["uid"]
        return cluster.volumes.resolve(spec_of(pod), namespace_of(pod), name_of(pod), uid)

    return resolve


def _released(pod: Object) -> Object:
    return {**pod, "spec": {key: value for key, value in pod["spec"].items() if key != "nodeName"}}


def _known(observed: Observed) -> KnownObjects:
    known = KnownObjects()
    for kind, resource in _RESOURCES.items():
        for obj in observed.objects.get(kind, ()):
            known.put(resource, obj)
    return known


def tables_of(explanation: Explanation) -> list[Table]:
    """Return what becomes of the feasible nodes, and of the others, as far as there are some."""
    tables = []
    feasible = [node for node in explanation.nodes if not node.rejections]
    if feasible:
        plugins = [f"{one.plugin}*{one.weight}" for one in feasible[0].scores]
        table = Table(["NODE", "TOTAL", *plugins], left=[0])
        best = frozenset(explanation.best)
        for node in feasible:
            style = "green" if node.name in best else ""
            cells = [_score(one.raw, one.normalised) for one in node.scores]
            table.add(Cell(node.name, style), Cell(str(node.total), style), *cells)
        tables.append(table)
    others = [node for node in explanation.nodes if node.rejections]
    if others:
        table = Table(["NODE", "PLUGIN", "REASON"], left=[0, 1, 2])
        for node in others:
            for number, one in enumerate(node.rejections):
                shown = "" if number else node.name
                table.add(shown, one.plugin, Cell(", ".join(one.reasons), "red"))
        tables.append(table)
    return tables


def _score(raw: int | None, normalised: int) -> str:
    """Return a score as it was and as it counts; nothing where the plugin says nothing."""
    if raw is None:
        return "-"
    return str(raw) if raw == normalised else f"{raw} > {normalised}"


def headline_of(explained: Explained) -> str:
    """Say in a sentence what would become of the pod."""
    explanation = explained.explanation
    total = len(explanation.nodes)
    feasible = sum(not node.rejections for node in explanation.nodes)
    about = f"{explained.pod} ({explanation.scheduler_name})"
    if explained.node:
        about += f", which is on {explained.node}"
    if not feasible:
        return f"{about}: {explanation.message}"
    best = explanation.best
    if len(best) == 1:
        choice = best[0]
    else:
        shown = ", ".join(best[:_SHOWN]) + (", ..." if len(best) > _SHOWN else "")
        choice = f"one of {len(best)} at random: {shown}"
    return f"{about}: {feasible} of {total} nodes are feasible; it would go to {choice}"


_SHOWN: Final = 5
