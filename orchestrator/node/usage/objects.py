"""Usage as the objects of ``metrics.k8s.io``, as metrics-server writes them."""

from __future__ import annotations

from orchestrator.node.usage.amounts import NodeUsage, PodUsage
from orchestrator.resources.objects import Object, labels_of, name_of, namespace_of
from orchestrator.resources.timestamps import format_time
from orchestrator.resources.usage_metrics import NODE_METRICS, POD_METRICS


def pod_metrics(usage: PodUsage) -> Object:
    """Return a ``PodMetrics``."""
    return {
        "kind": POD_METRICS.kind,
        "apiVersion": POD_METRICS.api_version,
        "metadata": {**_metadata(usage.pod, usage.timestamp), "namespace": namespace_of(usage.pod)},
        "timestamp": format_time(usage.timestamp),
        "window": format_window(usage.window),
        "containers": [
            {"name": item.name, "usage": _usage(item.cpu, item.memory)} for item in usage.containers
        ],
    }


def node_metrics(usage: NodeUsage) -> Object:
    """Return a ``NodeMetrics``."""
    return {
        "kind": NODE_METRICS.kind,
        "apiVersion": NODE_METRICS.api_version,
        "metadata": _metadata(usage.node, usage.timestamp),
        "timestamp": format_time(usage.timestamp),
        "window": format_window(usage.window),
        "usage": _usage(usage.cpu, usage.memory),
    }


def format_window(seconds: float) -> str:
    """Return a window as Go writes durations, to milliseconds: ``15.2s``, ``1m0s``."""
    millis = max(1, round(seconds * 1000))
    minutes, rest = divmod(millis, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{text}s"
    return f"{minutes}m{text}s" if minutes else f"{text}s" if rest >= 1000 else f"{rest}ms"


def _metadata(obj: Object, now: float) -> Object:
    metadata: Object = {"name": name_of(obj), "creationTimestamp": format_time(now)}
    if labels := labels_of(obj):
        metadata["labels"] = labels
    return metadata


def _usage(cpu: int, memory: int) -> dict[str, str]:
    """Return amounts in metrics-server's units: nanocores and kibibytes."""
    return {"cpu": f"{cpu}n" if cpu else "0", "memory": f"{memory // 1024}Ki"}
