"""What the scheduler knows of a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.resources.host_ports import HostPort
from orchestrator.resources.objects import labels_of, name_of, spec_of, status_of
from orchestrator.resources.tolerations import Taint, taints_of
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.requests import Request, amount


class NodeState:
    """A node's capacity and what of it is taken; changed in place by `Cluster` only.

    Units are those of `Request`. ``version`` grows when labels, taints or schedulability change,
    which is what cached verdicts about the node depend on beside its resources.

    Attributes:
        generation: Grows with every change of anything about the node.
        pods: By uid, in the order they came.
        images: Sizes in bytes by every name of the images that are there.
    """

    __slots__ = (
        "allowed_pods", "cpu", "ephemeral", "extended", "generation", "images", "index", "labels",
        "memory", "name", "pods", "ports", "score_cpu", "score_memory", "taints", "unschedulable",
        "used_cpu", "used_ephemeral", "used_extended", "used_memory", "version",
    )  # fmt: skip

    def __init__(self, node: Mapping[str, Any], index: int) -> None:
        self.index = index
        self.name = name_of(node)
        self.version = 0
        self.generation = 0
        self.pods: dict[str, PodState] = {}
        self.used_cpu = self.used_memory = self.used_ephemeral = 0
        self.score_cpu = self.score_memory = 0
        self.used_extended: dict[str, int] = {}
        self.ports: dict[HostPort, int] = {}
        self.cpu = self.memory = self.ephemeral = self.allowed_pods = 0
        self.extended: dict[str, int] = {}
        self.labels: Mapping[str, str] = {}
        self.taints: tuple[Taint, ...] = ()
        self.images: Mapping[str, int] = {}
        self.unschedulable = False
        self.describe(node)
        self.describe_images(node)

    def describe_images(self, node: Mapping[str, Any]) -> None:
        """Take over which images the node object says are there."""
        images = status_of(node).get("images")
        self.images = {
            name: image.get("sizeBytes") or 0
            for image in images or ()
            for name in image.get("names") or ()
        }

    def describe(self, node: Mapping[str, Any]) -> None:
        """Take over what the node object says."""
        self.version += 1
        self.labels = labels_of(node)
        self.taints = taints_of(node)
        self.unschedulable = bool(spec_of(node).get("unschedulable"))
        status = status_of(node)
        amounts = {
            name: amount(name, value)
            for name, value in (status.get("allocatable") or status.get("capacity") or {}).items()
        }
        self.cpu = amounts.pop("cpu", 0)
        self.memory = amounts.pop("memory", 0)
        self.ephemeral = amounts.pop("ephemeral-storage", 0)
        self.allowed_pods = amounts.pop("pods", 0)
        self.extended = amounts

    def add(self, pod: PodState) -> None:
        """Count a pod."""
        self.pods[pod.uid] = pod
        self._count(pod.pod_class.request, 1)

    def remove(self, pod: PodState) -> None:
        """Uncount a pod that `add` counted."""
        del self.pods[pod.uid]
        self._count(pod.pod_class.request, -1)

    def _count(self, request: Request, sign: int) -> None:
        self.used_cpu += sign * request.cpu
        self.used_memory += sign * request.memory
        self.score_cpu += sign * request.score_cpu
        self.score_memory += sign * request.score_memory
        if request.ephemeral:
            self.used_ephemeral += sign * request.ephemeral
        for name, value in request.extended:
            self.used_extended[name] = self.used_extended.get(name, 0) + sign * value
        for port in request.ports:
            count = self.ports.get(port, 0) + sign
            if count:
                self.ports[port] = count
            else:
                del self.ports[port]

    def has_free(self, ports: tuple[HostPort, ...]) -> bool:
        """Tell whether nobody on the node has these ports."""
        return not any(port.clashes(other) for port in ports for other in self.ports)
