"""Address blocks: each cluster on a machine gets its own part of 127.0.0.0/8.

Services and process pods have addresses of their own on the loopback interface. Two clusters on
one machine must not hand out the same ones, so a running cluster holds a numbered *slot*: an
abstract Unix socket, which the kernel frees when its holder ends, however it ends, and which is
scoped to the network namespace exactly as the loopback interface is.

The daemon holds one socket. Its process supervisor holds another, named after the data directory:
processes outlive a killed daemon and keep their addresses, so the slot is not free as long as they
may run. A cluster keeps its slot's number in its data directory, for its Services have addresses
of it. Which slot a new one tries first follows from the path of its directory, so that a stopped
cluster finds its own still free though others have started meanwhile.
"""

from __future__ import annotations

import hashlib
import socket
import sys
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from orchestrator.records import dataclass

SLOTS: Final = 64
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
        services=IPv4Network(f"127.{128 + slot}.0.0/16"),
        pods=IPv4Network(f"127.{64 + slot}.0.0/16"),
    )


class AddressesInUseError(Exception):
    """The slot a data directory needs, or every slot, is held by other running clusters."""


class AddressClaim:
    """A held slot; `release` or the end of the process gives it back.

    Attributes:
        slot: Its number.
        block: Its ranges.
        processes: Abstract socket name that the process supervisor must hold while it lives.
    """

    def __init__(self, slot: int, holder: socket.socket, directory: Path) -> None:
        self.slot = slot
        self.block = block_of(slot)
        self.processes = _processes_name(slot) + _digest(directory)
        self._holder = holder

    def release(self) -> None:
        """Give the slot back. Safe to call twice."""
        self._holder.close()


def _daemon_name(slot: int) -> str:
    return f"orchestrator-address-slot-{slot}"


def _processes_name(slot: int) -> str:
    return f"{_daemon_name(slot)}-processes-"


def _digest(directory: Path) -> str:
    return hashlib.sha256(bytes(directory.absolute())).hexdigest()[:16]


def _try_claim(slot: int, directory: Path) -> AddressClaim | None:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(f"\0{_daemon_name(slot)}")
        holder.listen(1)  # so that others can ask the kernel whose it is
    except OSError:
        holder.close()
        return None
    prefix = f"@{_processes_name(slot)}"
    for line in Path("/proc/net/unix").read_text().splitlines():
        name = line.rpartition(" ")[2]
        if name.startswith(prefix) and name != prefix + _digest(directory):
            holder.close()  # processes of another cluster, whose daemon was killed
            return None
    return AddressClaim(slot, holder, directory)


def _holder(slot: int) -> str:
    """Say who holds a slot: ``process 4711``, or the processes of a killed daemon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(f"\0{_daemon_name(slot)}")
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return "processes that outlived their daemon"
    return f"process {int.from_bytes(credentials[:4], sys.byteorder)}"


def claim_addresses(directory: Path) -> AddressClaim:
    """Claim the slot recorded in ``directory``, or the first free one, and record it there.

    Args:
        directory: The cluster's data directory; it exists.

    Raises:
        AddressesInUseError: The recorded slot, or every slot, belongs to another cluster.
    """
    record = directory / "address-slot"
    if record.exists():
        text = record.read_text(errors="replace").strip()
        if not text.isdigit() or int(text) >= SLOTS:
            raise AddressesInUseError(
                f"{record} holds {text!r}, not a slot number from 0 to {SLOTS - 1}: "
                "the file was changed by hand; restore it, or start with an empty data directory"
            )
        claim = _try_claim(int(text), directory)
        if claim is None:
            block = block_of(int(text))
            raise AddressesInUseError(
                f"the addresses of {directory} ({block.services} and {block.pods}) are in use by "
                f"another cluster on this machine ({_holder(int(text))}): stop that one first, or, "
                "if its daemon was killed, start it again and stop it cleanly"
            )
        return claim
    for slot in range(SLOTS):
        claim = _try_claim(slot, directory)
        if claim is not None:
            # Whole or not at all: a file without its number would keep the cluster from starting.
            fresh = directory / "address-slot.new"
            fresh.write_text(f"{slot}\n")
            fresh.replace(record)
            return claim
    raise AddressesInUseError(
        f"all {SLOTS} address ranges are in use by clusters on this machine: stop one first"
    )
