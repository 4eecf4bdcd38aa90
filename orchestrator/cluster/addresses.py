"""Address blocks: each cluster on a machine gets its own part of 127.0.0.0/8.

Services and process pods have addresses of their own on the loopback interface. Two clusters on
one machine must not hand out the same ones, so a running cluster holds a numbered *slot*: an
abstract Unix socket, which the kernel frees when its holder ends, however it ends, and which is
scoped to the network namespace exactly as the loopback interface is.

A cluster keeps its slot's number in its data directory: its Services and its processes, which may
outlive a killed daemon, have addresses from it.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

SLOTS: Final = 16
"""How many clusters can run on one machine at a time."""


@dataclass(frozen=True, slots=True)
class AddressBlock:
    """The loopback ranges of one cluster.

    Attributes:
        services: Range of cluster IPs; its first address is the API server's own Service.
        pods: Range of node and process-pod addresses, a /24 for each node.
    """

    services: IPv4Network
    pods: IPv4Network


def block_of(slot: int) -> AddressBlock:
    """Return the ranges of a slot, ``0 <= slot < SLOTS``."""
    return AddressBlock(
        services=IPv4Network(f"127.{96 + slot}.0.0/16"),
        pods=IPv4Network(f"127.{64 + slot}.0.0/16"),
    )


class AddressesInUseError(Exception):
    """The slot a data directory needs, or every slot, is held by other running clusters."""


class AddressClaim:
    """A held slot; `release` or the end of the process gives it back."""

    def __init__(self, slot: int, holder: socket.socket) -> None:
        self.slot = slot
        self.block = block_of(slot)
        self._holder = holder

    def release(self) -> None:
        """Give the slot back. Safe to call twice."""
        self._holder.close()


def _try_claim(slot: int) -> AddressClaim | None:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(f"\0orchestrator-address-slot-{slot}")
    except OSError:
        holder.close()
        return None
    return AddressClaim(slot, holder)


def claim_addresses(data_dir: Path | None) -> AddressClaim:
    """Claim the slot recorded in ``data_dir``, or the first free one, and record it there.

    Args:
        data_dir: The cluster's data directory, or None for a cluster that keeps nothing.

    Raises:
        AddressesInUseError: The recorded slot, or every slot, belongs to a running cluster.
    """
    record = data_dir / "address-slot" if data_dir else None
    if record is not None and record.exists():
        text = record.read_text().strip()
        if not text.isdigit() or int(text) >= SLOTS:
            raise AddressesInUseError(
                f"{record} holds {text!r}, not a slot number from 0 to {SLOTS - 1}: "
                "the file was changed by hand; restore it, or start with an empty data directory"
            )
        claim = _try_claim(int(text))
        if claim is None:
            block = block_of(int(text))
            raise AddressesInUseError(
                f"the addresses of {data_dir} ({block.services} and {block.pods}) are in use by "
                "another running cluster: stop that one first"
            )
        return claim
    for slot in range(SLOTS):
        claim = _try_claim(slot)
        if claim is not None:
            if record is not None:
                record.write_text(f"{slot}\n")
            return claim
    raise AddressesInUseError(
        f"all {SLOTS} address ranges are in use by running clusters: stop one first"
    )
