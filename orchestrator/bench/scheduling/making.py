"""Makes the objects of a workload out of its templates.

Names are numbered, never drawn, so that two runs make the same objects; pods of one operation share
their labels and their spec, as a controller's do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.bench.scheduling.workloads import CreateNodes, Template
from orchestrator.resources.objects import Object

HOSTNAME = "kubernetes.io/hostname"
PRIORITY_CLASSES = "priorityclasses.scheduling.k8s.io"
CSI_NODES = "csinodes.storage.k8s.io"


class Maker:
    """Makes numbered objects; one for each run."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def _name(self, template: Template, default: str) -> str:
        metadata = template.get("metadata") or {}
        if metadata.get("name"):
            return str(metadata["name"])
        stem = metadata.get("generateName") or f"{default}-"
        number = self._numbers[stem] = self._numbers.get(stem, -1) + 1
        return f"{stem}{number}"

    def object(self, template: Template, namespace: str = "") -> Object:
        """Make one object."""
        name = self._name(template, template["kind"].lower())
        metadata = {**(template.get("metadata") or {}), "name": name}
        metadata.pop("generateName", None)
        if namespace:
            metadata["namespace"] = namespace
        made = {**template, "metadata": metadata}
        return _complete_node(made) if template["kind"] == "Node" else made

    def namespace(self, name: str, template: Template | None = None) -> Object:
        """Make a namespace, with the template's labels if there is one."""
        metadata = {**((template or {}).get("metadata") or {}), "name": name}
        metadata.pop("generateName", None)
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}

    def nodes(self, step: CreateNodes, count: int) -> list[Object]:
        """Make nodes; labels of a strategy are given out in turn."""
        made = []
        for index in range(count):
            node = self.object(step.template)
            if step.label is not None:
                key, values = step.label
                metadata = node["metadata"]
                labels = {**metadata["labels"], key: values[index % len(values)]}
                node = {**node, "metadata": {**metadata, "labels": labels}}
            if step.allocatable:
                status = node["status"]
                more = {
                    part: {**status[part], **step.allocatable}
                    for part in ("capacity", "allocatable")
                }
                node = {**node, "status": {**status, **more}}
            made.append(node)
        return made

    def csi_node(self, node: Object, volumes: Mapping[str, int]) -> Object:
        """Make what a node's CSI drivers say of it."""
        name = node["metadata"]["name"]
        drivers = [
            {"name": driver, "nodeID": name, "allocatable": {"count": count}}
            for driver, count in volumes.items()
        ]
        return {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSINode",
            "metadata": {"name": name},
            "spec": {"drivers": drivers},
        }

    def pods(self, template: Template, namespace: str, count: int) -> Iterator[Object]:
        """Make pods that share all that is the same of them."""
        base = {**(template.get("metadata") or {}), "namespace": namespace}
        base.pop("generateName", None)
        spec = with_priority_class(template["spec"])
        for _ in range(count):
            metadata = {**base, "name": self._name(template, "pod")}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def bound_volume(self, volume: Template, claim: Template, pod: Object) -> tuple[Object, Object]:
        """Make a volume and a claim that are bound to each other, for one pod."""
        namespace = pod["metadata"]["namespace"]
        name = f"{namespace}-{pod['metadata']['name']}"
        pv = self.object(
            {**volume, "metadata": {**(volume.get("metadata") or {}), "name": f"pv-{name}"}}
        )
        pvc = self.object(
            {**claim, "metadata": {**(claim.get("metadata") or {}), "name": f"pvc-{name}"}},
            namespace,
        )
        reference = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": namespace,
            "name": pvc["metadata"]["name"],
        }
        spec: dict[str, Any] = {**pv["spec"], "claimRef": reference}
        if "csi" in spec:
            spec["csi"] = {"volumeHandle": pv["metadata"]["name"], **spec["csi"]}
        pv = {**pv, "spec": spec, "status": {"phase": "Bound"}}
        pvc = {
            **pvc,
            "spec": {**pvc["spec"], "volumeName": pv["metadata"]["name"], "storageClassName": ""},
            "status": {"phase": "Bound"},
        }
        return pv, pvc


def with_volume(pod: Object, claim: Object) -> Object:
    """Return the pod with the claim's volume."""
    source = {"claimName": claim["metadata"]["name"]}
    volume = {"name": "vol", "persistentVolumeClaim": source}
    spec = pod["spec"]
    return {**pod, "spec": {**spec, "volumes": [*(spec.get("volumes") or ()), volume]}}


def with_priority_class(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spec with the class that gives its priority.

    The API refuses a priority that no class gives. scheduler_perf turns that check off.
    """
    if not spec.get("priority") or spec.get("priorityClassName"):
        return spec
    return {**spec, "priorityClassName": f"priority-{spec['priority']}"}


def priority_class(spec: Mapping[str, Any]) -> Object | None:
    """Return the class that `with_priority_class` names for a template's spec."""
    if not spec.get("priority") or spec.get("priorityClassName"):
        return None
    made = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": f"priority-{spec['priority']}"},
        "value": spec["priority"],
    }
    if spec.get("preemptionPolicy"):
        made["preemptionPolicy"] = spec["preemptionPolicy"]
    return made


def _complete_node(node: Object) -> Object:
    """Add what a kubelet would: the hostname label, and what is allocatable."""
    metadata, status = node["metadata"], dict(node.get("status") or {})
    status.pop("phase", None)
    labels = {HOSTNAME: metadata["name"], **(metadata.get("labels") or {})}
    status.setdefault("allocatable", status.get("capacity") or {})
    status.setdefault("capacity", status["allocatable"])
    return {**node, "metadata": {**metadata, "labels": labels}, "status": status}
