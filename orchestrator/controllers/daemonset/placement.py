"""Where a DaemonSet's pods belong: which nodes fit, and what ties a pod to its node. Pure.

Rules: k8s.io/kubernetes/pkg/controller/daemon (``NodeShouldRunDaemonPod``) and its ``util``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple

from orchestrator.controllers._revisions import POD_LABEL
from orchestrator.controllers._templates import pod_from_template
from orchestrator.resources.node_affinity import NodeSelection, selection_of
from orchestrator.resources.objects import Object, annotations_of, labels_of, name_of, spec_of
from orchestrator.resources.tolerations import (
    Toleration,
    is_tolerated,
    taints_of,
    tolerates_all,
    tolerations_of,
)

RESOURCE: Final = "daemonsets.apps"
PODS: Final = "pods"
NODES: Final = "nodes"

GENERATION_LABEL: Final = "pod-template-generation"
GENERATION: Final = "deprecated.daemonset.template.generation"
"""Annotation that counts the changes of a template; the API server keeps it."""

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFIX: Final = "node.kubernetes.io/"
_TOLERATED: Final = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)
_TOLERATED_ON_HOST: Final = ("network-unavailable", "NoSchedule")


class Verdict(IntEnum):
    """What a DaemonSet has to do with a node."""

    GONE = 0
    """There is no such node."""
    LEAVE = 1
    """None of its pods may be there."""
    STAY = 2
    """A pod that is there may stay, but none comes."""
    RUN = 3
    """One has to be there."""


class Rules(NamedTuple):
    """What decides on which nodes a template's pods belong."""

    node: str
    selection: NodeSelection
    tolerations: tuple[Toleration, ...]

    @staticmethod
    def of(daemon_set: Object) -> Rules:
        """Parse a DaemonSet's template."""
        spec = spec_of(spec_of(daemon_set).get("template") or {})
        tolerant = {**spec, "tolerations": daemon_tolerations(spec)}
        return Rules(spec.get("nodeName") or "", selection_of(spec), tolerations_of(tolerant))

    def judge(self, node: Object) -> Verdict:
        """Return what is to be on a node."""
        name = name_of(node)
        if self.node and self.node != name:
            return Verdict.LEAVE
        if not self.selection.matches(name, labels_of(node)):
            return Verdict.LEAVE
        taints = taints_of(node)
        if not taints or tolerates_all(taints, self.tolerations):
            return Verdict.RUN
        evicted = any(
            taint.effect == "NoExecute" and not is_tolerated(taint, self.tolerations)
            for taint in taints
        )
        return Verdict.LEAVE if evicted else Verdict.STAY


def daemon_tolerations(spec: Object) -> list[Object]:
    """Return a pod spec's tolerations with those that every daemon's pod gets."""
    tolerations: list[Object] = list(spec.get("tolerations") or ())
    added = [*_TOLERATED, *([_TOLERATED_ON_HOST] if spec.get("hostNetwork") else [])]
    for key, effect in added:
        wanted = {"key": _PREFIX + key, "operator": "Exists", "effect": effect}
        same = [index for index, given in enumerate(tolerations) if _is_like(given, wanted)]
        if same:
            tolerations[same[0]] = wanted  # one for some seconds only becomes one for ever
        else:
            tolerations.append(wanted)
    return tolerations


def _is_like(given: Object, wanted: Object) -> bool:
    return (
        given.get("key") == wanted["key"]
        and given.get("effect") == wanted["effect"]
        and given.get("operator") == wanted["operator"]
        and not given.get("value")
    )


def tied_to(affinity: Object | None, node: str) -> Object:
    """Return a pod's affinity with one node by its name as all that it requires of nodes."""
    given: Object = affinity or {}
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {**given, "nodeAffinity": {**(given.get("nodeAffinity") or {}), _REQUIRED: required}}


def target_of(pod: Object) -> str:
    """Return the node on which a pod is, or which its affinity names; empty where there is none."""
    spec = pod["spec"]
    bound: str = spec.get("nodeName") or ""
    if bound:
        return bound
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            values: list[str] = field.get("values") or []
            if (field["key"], field["operator"]) == ("metadata.name", "In") and len(values) == 1:
                return values[0]
    return ""


def generation_of(daemon_set: Object) -> str:
    """Return how often the template changed, as its pods carry it; empty where nobody counts."""
    return annotations_of(daemon_set).get(GENERATION, "")


class PodMaker:
    """Makes the pods of one revision, which share all but their names and what ties them."""

    def __init__(self, daemon_set: Object, hashed: str) -> None:
        model = pod_from_template(daemon_set, spec_of(daemon_set).get("template") or {})
        labels = dict(model["metadata"].get("labels") or {})
        if generation := generation_of(daemon_set):
            labels[GENERATION_LABEL] = generation
        labels[POD_LABEL] = hashed
        self._model = model
        self._metadata: dict[str, Any] = {**model["metadata"], "labels": labels}
        self._spec: Object = {**model["spec"], "tolerations": daemon_tolerations(model["spec"])}
        self._affinity: Object | None = model["spec"].get("affinity")

    def make(self, name: str, node: str) -> Object:
        """Return the pod of that name for a node."""
        return {
            **self._model,
            "metadata": {**self._metadata, "name": name},
            "spec": {**self._spec, "affinity": tied_to(self._affinity, node)},
        }
