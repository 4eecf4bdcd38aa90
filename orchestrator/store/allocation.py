"""Addresses and ports that services own: given out, checked, taken back.

Runs inside the sequencer's decisions, so that two services never get the same one. Nothing of it
is stored but the services themselves: at a start, and after a failed commit, it is rebuilt out of
them. Source of rules and words: k8s.io/kubernetes pkg/registry/core/service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from ipaddress import IPv4Network, ip_address
from random import Random
from typing import Any

from orchestrator.records import dataclass
from orchestrator.resources.errors import FieldError, StatusError, internal_error, invalid
from orchestrator.resources.objects import Key, Object

NODE_PORT_TYPES = frozenset({"NodePort", "LoadBalancer"})
DEFAULT_SERVICE_CIDR = "127.96.0.0/16"
"""On Linux all of 127.0.0.0/8 is loopback: every service has an address that can be bound."""
KUBERNETES = ("services", "default", "kubernetes")

_Owner = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ServiceRanges:
    """What services may be given.

    Attributes:
        addresses: The cluster IPs; the first one belongs to the service ``default/kubernetes``.
        first_port: The lowest node port.
        last_port: The highest node port.
    """

    addresses: IPv4Network = field(default_factory=lambda: IPv4Network(DEFAULT_SERVICE_CIDR))
    first_port: int = 30000
    last_port: int = 32767


class ServiceAllocator:
    """Who owns which address and port.

    Free ones are given out in turn, beginning behind the band that upstream keeps for addresses
    chosen by users, so that a freed address is not at once another service's. Node ports begin at
    a random place: the clusters of one machine share 127.0.0.1 and know nothing of each other.
    """

    def __init__(
        self,
        services: Callable[[], Iterable[Object]],
        random: Random,
        ranges: ServiceRanges | None = None,
    ) -> None:
        """Prepare; `rebuild` takes in the ``services`` that exist."""
        self._services = services
        self.ranges = ranges or ServiceRanges()
        network = self.ranges.addresses
        self._base = int(network.network_address)
        size = network.num_addresses
        self._band = min(max(16, size // 16), 256) if size > 32 else 1
        self._size = size
        self._addresses: dict[str, _Owner] = {}
        self._ports: dict[int, _Owner] = {}
        self._next_address = self._band
        self._next_port = random.randint(self.ranges.first_port, self.ranges.last_port)
        self._saved: tuple[dict[str, _Owner], dict[int, _Owner], int, int] | None = None

    def rebuild(self) -> None:
        """Forget everything and take in the services that are committed."""
        self._saved = None
        first = str(ip_address(self._base + 1))
        self._addresses = {first: KUBERNETES}
        self._ports = {}
        for service in self._services():
            metadata, spec = service["metadata"], service.get("spec") or {}
            owner = ("services", metadata["namespace"], metadata["name"])
            for address in _addresses(spec):
                self._addresses[address] = owner
            for port in _node_ports(spec):
                self._ports[port] = owner

    def begin(self) -> None:
        """Remember the present state for `rollback`."""
        state = (self._addresses, self._ports, self._next_address, self._next_port)
        self._saved = state
        self._addresses, self._ports = dict(self._addresses), dict(self._ports)

    def rollback(self) -> None:
        """Return to what `begin` remembered."""
        if self._saved is not None:
            self._addresses, self._ports, self._next_address, self._next_port = self._saved
            self._saved = None

    def allocate(self, key: Key, service: Object) -> Object:
        """Return a new service with its address and ports filled in.

        Raises:
            StatusError: 422 for what is taken or out of range, 500 when there is none left.
        """
        spec = self._claim(key, service.get("spec") or {}, service)
        return {**service, "spec": spec}

    def reallocate(self, key: Key, current: Object, wanted: Object) -> Object:
        """Return a changed service with what it newly needs; what it gave up is free again.

        Raises:
            StatusError: As `allocate`; then nothing has changed.
        """
        held = current.get("spec") or {}
        spec = self._claim(key, wanted.get("spec") or {}, wanted)
        for address in set(_addresses(held)) - set(_addresses(spec)):
            self._free_address(address, key)
        for port in set(_node_ports(held)) - set(_node_ports(spec)):
            self._ports.pop(port, None)
        return wanted if spec is wanted["spec"] else {**wanted, "spec": spec}

    def release(self, key: Key, service: Object) -> None:
        """Take back what a deleted service had."""
        spec = service.get("spec") or {}
        for address in _addresses(spec):
            self._free_address(address, key)
        for port in _node_ports(spec):
            self._ports.pop(port, None)

    def adopt(self, key: Key, service: Object) -> None:
        """Take in a service that comes with its address and ports."""
        spec = service.get("spec") or {}
        owner: _Owner = (key[0], key[1], key[2])
        self._addresses.update(dict.fromkeys(_addresses(spec), owner))
        self._ports.update(dict.fromkeys(_node_ports(spec), owner))

    def _free_address(self, address: str, key: Key) -> None:
        if tuple(key) != KUBERNETES:
            self._addresses.pop(address, None)

    def _claim(self, key: Key, spec: dict[str, Any], service: Object) -> dict[str, Any]:
        if spec.get("type") == "ExternalName":
            return spec
        owner: _Owner = key
        problems: list[FieldError] = []
        spec = self._with_address(owner, spec, problems)
        ports = spec.get("ports") or []
        if spec.get("type") in NODE_PORT_TYPES:
            ports = self._with_ports(owner, spec, ports, problems)
        if problems:
            raise invalid("Service", "", service["metadata"].get("name") or "", problems)
        for address in _addresses(spec):
            self._addresses[address] = owner
        if ports is not spec.get("ports") and ports:
            spec = {**spec, "ports": ports}
        for number in _node_ports(spec):
            self._ports[number] = owner
        return spec

    def _with_address(
        self, owner: _Owner, spec: dict[str, Any], problems: list[FieldError]
    ) -> dict[str, Any]:
        given = spec.get("clusterIPs") or []
        address = spec.get("clusterIP") or (given[0] if given else "")
        if not address:
            address = self._free(owner)
        elif address != "None":
            problems.extend(self._check_address(owner, address))
        if spec.get("clusterIP") == address and given and given[0] == address:
            return spec
        return {**spec, "clusterIP": address, "clusterIPs": [address, *given[1:]]}

    def _check_address(self, owner: _Owner, address: str) -> list[FieldError]:
        taken_by = self._addresses.get(address)
        network = self.ranges.addresses
        if taken_by == owner:
            return []
        if taken_by is not None:
            why = "provided IP is already allocated"
        elif not self._base < int(ip_address(address)) < self._base + self._size - 1:
            why = (
                f"the provided IP ({address}) is not in the valid range. "
                f"The range of valid IPs is {network}"
            )
        else:
            return []
        return [
            FieldError(
                "FieldValueInvalid",
                "spec.clusterIPs",
                f'Invalid value: ["{address}"]: failed to allocate IP {address}: {why}',
            )
        ]

    def _free(self, owner: _Owner) -> str:
        if owner == KUBERNETES:
            return str(ip_address(self._base + 1))
        usable = self._size - 1  # the last one is the broadcast address
        for start, end in ((self._next_address, usable), (1, self._next_address)):
            for offset in range(max(start, 1), end):
                address = str(ip_address(self._base + offset))
                if address not in self._addresses:
                    self._next_address = offset + 1
                    return address
        raise internal_error("failed to allocate a serviceIP: range is full")

    def _with_ports(
        self,
        owner: _Owner,
        spec: dict[str, Any],
        ports: list[dict[str, Any]],
        problems: list[FieldError],
    ) -> list[dict[str, Any]]:
        if (
            spec.get("type") == "LoadBalancer"
            and spec.get("allocateLoadBalancerNodePorts") is False
        ):
            wanting = [port for port in ports if port.get("nodePort")]
        else:
            wanting = ports
        mine = {port["nodePort"] for port in ports if port.get("nodePort")}
        filled: list[dict[str, Any]] = []
        for index, port in enumerate(ports):
            number = port.get("nodePort")
            if number:
                problems.extend(self._check_port(owner, index, number))
            elif port in wanting:
                number = self._free_port(mine)
                mine.add(number)
                filled.append({**port, "nodePort": number})
                continue
            filled.append(port)
        return ports if filled == ports else filled

    def _check_port(self, owner: _Owner, index: int, number: int) -> list[FieldError]:
        taken_by = self._ports.get(number)
        first, last = self.ranges.first_port, self.ranges.last_port
        if taken_by == owner:
            return []
        if taken_by is not None:
            why = "provided port is already allocated"
        elif not first <= number <= last:
            why = (
                "provided port is not in the valid range. "
                f"The range of valid ports is {first}-{last}"
            )
        else:
            return []
        return [
            FieldError(
                "FieldValueInvalid",
                f"spec.ports[{index}].nodePort",
                f"Invalid value: {number}: {why}",
            )
        ]

    def _free_port(self, besides: set[int]) -> int:
        first, last = self.ranges.first_port, self.ranges.last_port
        for start, end in ((self._next_port, last + 1), (first, self._next_port)):
            for number in range(start, end):
                if number not in self._ports and number not in besides:
                    self._next_port = number + 1
                    return number
        raise StatusError(
            500,
            "InternalError",
            "Internal error occurred: failed to allocate a nodePort: range is full",
        )


def _addresses(spec: dict[str, Any]) -> list[str]:
    if spec.get("type") == "ExternalName":
        return []
    given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [address for address in given if address and address != "None"]


def _node_ports(spec: dict[str, Any]) -> list[int]:
    if spec.get("type") not in NODE_PORT_TYPES:
        return []
    return [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]
