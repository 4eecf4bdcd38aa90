"""A cluster as it was observed, ready to be asked what its scheduler would do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.bench.planning.manifests import without_place
from orchestrator.bench.planning.observed import Observed
from orchestrator.bench.policies import Policy
from orchestrator.bench.simulation import Placed, Simulation
from orchestrator.resources.objects import Object, spec_of, uid_of


@dataclass(slots=True)
class Situation:
    """A simulation with a cluster's nodes and pods in it.

    Attributes:
        simulation: It.
        pods: Every pod in it by uid, as it would be created again.
        notes: What a user should know.
    """

    simulation: Simulation
    pods: dict[str, Object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def submit(self, pods: Iterable[Object]) -> dict[str, str]:
        """Let pods wait and try them all; return the nodes by uid of those that found one.

        Pods that have to make room for them wait as well.
        """
        for pod in pods:
            uid = uid_of(pod)
            self.pods[uid] = pod
            self.simulation.submit(uid, pod)
        placed: dict[str, str] = {}
        for change in self.simulation.run_to_rest():
            if isinstance(change, Placed):
                placed[change.uid] = change.node
            else:
                placed.pop(change.uid, None)
        return placed


def begin(observed: Observed, policy: Policy, seed: int) -> Situation:
    """Put a cluster into a simulation; pods that wait in it are tried first, as they would be."""
    simulation = policy.simulate(seed)
    situation = Situation(simulation, notes=list(observed.notes))
    simulation.put_objects(observed.objects)
    for node in observed.nodes:
        simulation.put_node(node)
    elsewhere = 0
    for pod in observed.running:
        uid, node_name = uid_of(pod), str(spec_of(pod)["nodeName"])
        if node_name not in simulation.nodes:
            elsewhere += 1
            continue
        situation.pods[uid] = {**pod, "spec": without_place(pod["spec"])}
        simulation.place(uid, pod, node_name)
    if elsewhere:
        situation.notes.append(f"{elsewhere} pods are on nodes that are not there: left out")
    waiting = observed.pending
    if waiting:
        placed = situation.submit(waiting)
        situation.notes.append(
            f"{len(waiting)} pods were pending: {len(placed)} of them are taken to be placed first"
        )
    return situation


def template_amounts(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a node object offers."""
    status = node.get("status") or {}
    found: Mapping[str, Any] = status.get("allocatable") or status.get("capacity") or {}
    return found


def node_from_template(template: Object, name: str) -> Object:
    """Return a new, ready, empty node like another one."""
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), "kubernetes.io/hostname": name}
    spec = {
        key: value
        for key, value in (template.get("spec") or {}).items()
        if key not in {"podCIDR", "podCIDRs", "providerID", "unschedulable", "taints"}
    }
    taints = [
        taint
        for taint in (template.get("spec") or {}).get("taints") or ()
        if not str(taint.get("key")).startswith("node.kubernetes.io/")
    ]
    if taints:
        spec["taints"] = taints
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": dict(template_amounts(template))},
    }
