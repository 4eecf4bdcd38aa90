"""Pod addresses of one node: handed out in turn, given back with a delay."""

from __future__ import annotations

from collections import deque
from ipaddress import IPv4Network

REUSE_DELAY = 30.0
"""Seconds before an address is given to another pod: clients and proxies may still hold it."""


class AddressesExhaustedError(Exception):
    """Every address of the node's range is held by a pod."""


class AddressPool:
    """The addresses of one range that no pod holds.

    Fresh addresses go first, then those given back longest ago; the delay is cut short only
    when nothing else is left.
    """

    __slots__ = ("_fresh", "_held", "_last", "_network", "_prefix", "_released", "_resting")

    def __init__(self, cidr: str) -> None:
        """Manage ``cidr`` without its network, first (the node's own) and broadcast address."""
        self._network = IPv4Network(cidr)
        self._prefix = ""
        if self._network.prefixlen == 24:
            self._prefix = str(self._network.network_address).rpartition(".")[0] + "."
        self._fresh = 2
        self._last = self._network.num_addresses - 2
        self._held: dict[str, str] = {}  # address -> uid of the pod
        self._released: deque[tuple[float, str]] = deque()
        self._resting: set[str] = set()  # the addresses in it

    def __contains__(self, address: str) -> bool:
        return address in self._held

    def __len__(self) -> int:
        return len(self._held)

    def take(self, now: float, pod: str = "") -> str:
        """Hand out an address to the pod of this uid; ``now`` is monotonic seconds.

        Raises:
            AddressesExhaustedError: Try again when a pod has gone.
        """
        if self._released and now - self._released[0][0] >= REUSE_DELAY:
            return self._reuse(pod)
        while self._fresh <= self._last:
            address = self._format(self._fresh)
            self._fresh += 1
            # One that was claimed, and not handed out, may have come back before its turn.
            if address not in self._held and address not in self._resting:
                self._held[address] = pod
                return address
        if self._released:
            return self._reuse(pod)
        raise AddressesExhaustedError(
            f"all {len(self._held)} pod addresses of {self._network} are in use"
        )

    def _reuse(self, pod: str) -> str:
        _, address = self._released.popleft()
        self._resting.discard(address)
        self._held[address] = pod
        return address

    def _format(self, offset: int) -> str:
        if self._prefix:
            return f"{self._prefix}{offset}"
        return str(self._network[offset])

    def claim(self, address: str, pod: str = "") -> bool:
        """Hold an address that a pod has already; False when it is not this range's to give."""
        if address in self._held:
            return False
        offset = self._offset(address)
        if not 2 <= offset <= self._last:
            return False
        if address in self._resting:
            self._resting.discard(address)
            self._released = deque(item for item in self._released if item[1] != address)
        self._held[address] = pod
        return True

    def _offset(self, address: str) -> int:
        """Return an address's place in the range; below 0 for what is none."""
        prefix = self._prefix
        if prefix and address.startswith(prefix) and address[len(prefix) :].isdecimal():
            return int(address[len(prefix) :])
        first = self._network.network_address
        try:
            return int(first.__class__(address)) - int(first)
        except ValueError:
            return -1

    def release(self, address: str, now: float, pod: str = "") -> None:
        """Take an address back; one that is not held, or is another pod's by now, is left alone."""
        if self._held.get(address) == pod:
            del self._held[address]
            self._released.append((now, address))
            self._resting.add(address)
