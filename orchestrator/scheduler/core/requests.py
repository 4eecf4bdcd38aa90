"""What a pod asks of a node, in integers.

Source of the rules: ``PodRequests`` in k8s.io/component-helpers/resource, and the scheduler's
non-zero defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from orchestrator.resources import quantities
from orchestrator.resources.host_ports import HostPort, host_ports

DEFAULT_CPU = 100
"""Millicores that a container without a CPU request counts for in scores (not in filters)."""

DEFAULT_MEMORY = 200 * 1024 * 1024
"""Bytes that a container without a memory request counts for in scores."""


class Request(NamedTuple):
    """The sum of what a pod's containers request.

    Attributes:
        cpu: Millicores.
        memory: Bytes.
        ephemeral: Bytes of ephemeral storage.
        extended: Every other resource with its amount, sorted by name; zero amounts left out.
        score_cpu: Millicores with defaults for containers that request none; for scores only.
        score_memory: Bytes, likewise.
        ports: Host ports.
    """

    cpu: int
    memory: int
    ephemeral: int
    extended: tuple[tuple[str, int], ...]
    score_cpu: int
    score_memory: int
    ports: tuple[HostPort, ...]


def amount(resource: str, quantity: str | float) -> int:
    """Return a quantity in the scheduler's unit: millicores for CPU, whole units for the rest."""
    return quantities.milli(quantity) if resource == "cpu" else quantities.whole(quantity)


def request_of(spec: Mapping[str, Any]) -> Request:
    """Add up a pod spec's requests.

    Containers run together, init containers one after another before them, beside the sidecars
    (init containers that restart always) that were started so far; pod-level requests replace the
    sum; overhead comes on top.
    """
    actual = _total(spec, {})
    scoring = _total(spec, {"cpu": DEFAULT_CPU, "memory": DEFAULT_MEMORY})
    return Request(
        cpu=actual.pop("cpu", 0),
        memory=actual.pop("memory", 0),
        ephemeral=actual.pop("ephemeral-storage", 0),
        extended=tuple(sorted((name, value) for name, value in actual.items() if value)),
        score_cpu=scoring.get("cpu", 0),
        score_memory=scoring.get("memory", 0),
        ports=host_ports(spec),
    )


def _total(spec: Mapping[str, Any], defaults: Mapping[str, int]) -> dict[str, int]:
    pod_level = _amounts((spec.get("resources") or {}).get("requests"))
    defaults = {name: value for name, value in defaults.items() if name not in pod_level}
    running: dict[str, int] = {}
    for container in spec.get("containers") or ():
        _add(running, _container(container, defaults))
    sidecars: dict[str, int] = {}
    highest: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        wanted = _container(container, defaults)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, wanted)
            _add(running, wanted)
            wanted = dict(sidecars)
        else:
            _add(wanted, sidecars)
        for name, value in wanted.items():
            highest[name] = max(highest.get(name, 0), value)
    for name, value in highest.items():
        running[name] = max(running.get(name, 0), value)
    running.update(pod_level)
    _add(running, _amounts(spec.get("overhead")))
    return running


def _container(container: Mapping[str, Any], defaults: Mapping[str, int]) -> dict[str, int]:
    return {**defaults, **_amounts((container.get("resources") or {}).get("requests"))}


def _amounts(resources: Mapping[str, Any] | None) -> dict[str, int]:
    return {name: amount(name, value) for name, value in (resources or {}).items()}


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value
