"""What a node says of itself: its Node object and its Lease. Pure."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Callable
from functools import cache

from orchestrator.node.configs import LEASE_DURATION, NodeConfig
from orchestrator.node.runtime import Runtime
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import format_micro, format_time

LEASE_NAMESPACE = "kube-node-lease"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def node_labels(config: NodeConfig) -> dict[str, str]:
    """Return the labels a kubelet sets, and the configured ones."""
    machine = architecture()
    return {
        "beta.kubernetes.io/arch": machine,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
        "kubernetes.io/hostname": config.name,
        "kubernetes.io/os": "linux",
        **config.labels,
    }


@cache
def architecture() -> str:
    """This machine's architecture as Go names it."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def node_object(config: NodeConfig) -> Object:
    """Return the Node to create, without a status."""
    spec: Object = {"podCIDR": config.pod_cidr, "podCIDRs": [config.pod_cidr]}
    if config.taints:
        spec["taints"] = [dict(taint) for taint in config.taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": config.name, "labels": node_labels(config)},
        "spec": spec,
    }


def node_status(config: NodeConfig, runtime: Runtime, present: Object, now: str) -> Object:
    """Return the status of a node that is ready.

    Args:
        config: The node.
        runtime: What runs its containers.
        present: Its present status; transition times are kept from there.
        now: Formatted time.
    """
    capacity = dict(config.capacity)
    return {
        **present,
        "addresses": [
            {"type": "InternalIP", "address": config.address},
            {"type": "Hostname", "address": config.name},
        ],
        "allocatable": {**capacity, **config.allocatable},
        "capacity": capacity,
        "conditions": _conditions(present, now),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": _node_info(config, runtime),
    }


def _node_info(config: NodeConfig, runtime: Runtime) -> Object:
    # Of this machine only where pods run on it: a simulation has one history on every machine.
    real = runtime.executes
    return {
        "architecture": architecture(),
        "bootID": _boot_id() if real else str(uuid.uuid5(uuid.NAMESPACE_URL, config.name)),
        "containerRuntimeVersion": f"{runtime.name}://1.0",
        "kernelVersion": platform.release() if real else "simulated",
        "kubeProxyVersion": "",
        "kubeletVersion": config.version,
        "machineID": uuid.uuid5(uuid.NAMESPACE_DNS, config.name).hex,
        "operatingSystem": "linux",
        "osImage": _os_image() if real else "Simulated",
        "systemUUID": str(uuid.uuid5(uuid.NAMESPACE_OID, config.name)),
    }


@cache
def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 - a kernel value, not a path to work on
            return file.read().strip()
    except OSError:
        return ""


@cache
def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _conditions(present: Object, now: str) -> list[Object]:
    old = {item["type"]: item for item in present.get("conditions") or ()}
    wanted = [(kind, "False", reason, message) for kind, reason, message in _PRESSURES]
    wanted.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    conditions: list[Object] = []
    for kind, status, reason, message in wanted:
        before = old.pop(kind, None)
        moved = before is None or before.get("status") != status
        conditions.append(
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": now,
                "lastTransitionTime": now
                if before is None or moved
                else before.get("lastTransitionTime", now),
                "reason": reason,
                "message": message,
            }
        )
    return [*conditions, *old.values()]


def spec_change(config: NodeConfig) -> Callable[[Object], Object | None]:
    """Return the function that brings a Node that exists up to date: labels and pod range.

    Taints and other labels are the users' by now.
    """
    labels = node_labels(config)

    def change(current: Object) -> Object | None:
        metadata = current["metadata"]
        merged = {**(metadata.get("labels") or {}), **labels}
        ranges = {"podCIDR": config.pod_cidr, "podCIDRs": [config.pod_cidr]}
        spec = {**(current.get("spec") or {}), **ranges}
        if merged == metadata.get("labels") and spec == current.get("spec"):
            return None
        return {**current, "metadata": {**metadata, "labels": merged}, "spec": spec}

    return change


def status_change_of(
    config: NodeConfig, runtime: Runtime, now: float
) -> Callable[[Object], Object | None]:
    """Return the function that posts a ready status."""

    def change(current: Object) -> Object | None:
        status = node_status(config, runtime, current.get("status") or {}, format_time(now))
        return {**current, "status": status}

    return change


def lease_object(node: Object, now: float) -> Object:
    """Return a node's Lease, renewed now."""
    name = node["metadata"]["name"]
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": LEASE_NAMESPACE,
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "name": name,
                    "uid": node["metadata"]["uid"],
                }
            ],
        },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_DURATION,
            "renewTime": format_micro(now),
        },
    }


def lease_renewal(node: Object, now: float) -> Callable[[Object], Object | None]:
    """Return the function that renews a Lease that exists."""
    wanted = lease_object(node, now)

    def change(current: Object) -> Object | None:
        owners = wanted["metadata"]["ownerReferences"]
        metadata = {**current["metadata"], "ownerReferences": owners}
        spec = {**(current.get("spec") or {}), **wanted["spec"]}
        return {**current, "metadata": metadata, "spec": spec}

    return change


def container_path() -> str:
    """``PATH`` of containers that set none: the daemon's own."""
    return os.environ.get("PATH") or os.defpath
