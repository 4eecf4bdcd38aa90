"""A real cluster as the beginning of a trace."""

from __future__ import annotations

from orchestrator.bench.planning.manifests import without_place
from orchestrator.bench.planning.observed import Observed
from orchestrator.bench.traces.records import NodeComes, PodComes, Record
from orchestrator.resources.objects import Object, spec_of


def records_of(observed: Observed) -> list[Record]:
    """Return a cluster's nodes and pods as what is there at time 0 and stays.

    Each pod is on the node it was found on, as if its ``nodeName`` had been given.
    """
    nodes: list[Record] = [NodeComes(time=0.0, node=node) for node in observed.nodes]
    running: list[Record] = [
        PodComes(time=0.0, pod=_released(pod), node=str(spec_of(pod)["nodeName"]))
        for pod in observed.running
    ]
    pending: list[Record] = [PodComes(time=0.0, pod=pod) for pod in observed.pending]
    return nodes + running + pending


def _released(pod: Object) -> Object:
    return {**pod, "spec": without_place(pod["spec"])}
