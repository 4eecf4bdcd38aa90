"""Clusters as kubectl dumps them, for the tests of what-if questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def node(name: str, cpu: str = "4", memory: str = "8Gi", **more: Any) -> dict[str, Any]:
    """A ready node; ``more`` goes into its spec."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": more,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}},
    }


def pod(
    name: str,
    on: str = "",
    cpu: str = "1",
    owner: str = "ReplicaSet",
    phase: str = "Running",
    **more: Any,
) -> dict[str, Any]:
    """A pod; ``more`` goes into its spec."""
    metadata: dict[str, Any] = {"name": name, "namespace": "team", "uid": f"uid-{name}"}
    if owner:
        reference = {"kind": owner, "name": f"{name}-owner", "uid": f"{owner} {name[0]}"}
        metadata["ownerReferences"] = [{**reference, "apiVersion": "v1", "controller": True}]
    spec = {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}], **more}
    if on:
        spec["nodeName"] = on
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec,
        "status": {"phase": phase},
    }


def dump(directory: Path, *items: dict[str, Any]) -> Path:
    """Write a dump as kubectl does."""
    path = directory / "dump.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}))
    return path


def pod_file(directory: Path, cpu: str = "1", **spec: Any) -> Path:
    """Write a Pod's manifest."""
    path = directory / "pod.yaml"
    container = {"name": "c", "image": "web", "resources": {"requests": {"cpu": cpu}}}
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [container], **spec},
    }
    path.write_text(json.dumps(manifest))
    return path
