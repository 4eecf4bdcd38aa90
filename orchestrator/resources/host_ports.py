"""Ports of the node that pods want for themselves: what the scheduler and the node look at.

Source of the rules: ``GetHostPorts`` and ``HostPortInfo`` of the scheduler's framework, which the
kubelet uses too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

_ANY = "0.0.0.0"  # noqa: S104  (upstream's word for: any address)


class HostPort(NamedTuple):
    """A port of the node that a container wants for itself."""

    protocol: str
    address: str
    port: int

    def clashes(self, other: HostPort) -> bool:
        """Tell whether a node cannot give both; any address clashes with every one."""
        return (
            self.port == other.port
            and self.protocol == other.protocol
            and (self.address == other.address or _ANY in {self.address, other.address})
        )


def host_ports(spec: Mapping[str, Any]) -> tuple[HostPort, ...]:
    """Return what a pod's main containers and sidecars want, each port once."""
    sidecars = (
        container
        for container in spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    )
    return tuple(
        dict.fromkeys(
            HostPort(port.get("protocol") or "TCP", port.get("hostIP") or _ANY, port["hostPort"])
            for containers in (spec.get("containers") or (), sidecars)
            for port in _listed(containers)
        )
    )


def _listed(containers: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return (
        port
        for container in containers
        if "ports" in container
        for port in container["ports"] or ()
        if port.get("hostPort")
    )
