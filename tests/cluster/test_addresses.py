"""Each cluster on a machine has addresses of its own, also after its daemon was killed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from orchestrator.cluster import addresses
from orchestrator.cluster.addresses import AddressesInUseError, block_of, claim_addresses


@pytest.fixture(autouse=True)
def names_of_this_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep apart from clusters that run on this machine."""
    monkeypatch.setattr(addresses, "_daemon_name", lambda slot: f"test-{tmp_path}-{slot}")


def directory(tmp_path: Path, name: str) -> Path:
    """Return an empty data directory."""
    made = tmp_path / name
    made.mkdir()
    return made


def test_blocks_do_not_overlap() -> None:
    """Services and pods of all slots lie apart from each other."""
    blocks = [block_of(slot) for slot in range(addresses.SLOTS)]
    ranges = [part for block in blocks for part in (block.services, block.pods)]
    assert not any(a.overlaps(b) for i, a in enumerate(ranges) for b in ranges[:i])


def test_two_clusters_get_different_slots(tmp_path: Path) -> None:
    """The second cluster takes the next slot, and a released one is free again."""
    first = claim_addresses(directory(tmp_path, "a"))
    second = claim_addresses(directory(tmp_path, "b"))
    assert first.slot != second.slot
    first.release()
    second.release()


def test_a_directory_tries_the_same_slot_first(tmp_path: Path) -> None:
    """What a path leads to does not depend on who else runs, so a stopped cluster finds it free."""
    a = directory(tmp_path, "a")
    first = claim_addresses(a)
    first.release()
    (a / "address-slot").unlink()
    again = claim_addresses(a)
    assert again.slot == first.slot
    again.release()


def test_a_cluster_keeps_its_slot(tmp_path: Path) -> None:
    """The directory remembers it; while another cluster has it, the start is refused."""
    a, b = directory(tmp_path, "a"), directory(tmp_path, "b")
    mine = claim_addresses(a)
    mine.release()
    (b / "address-slot").write_text(f"{mine.slot}\n")
    other = claim_addresses(b)
    with pytest.raises(AddressesInUseError, match=f"{a} .*process {os.getpid()}"):
        claim_addresses(a)
    other.release()
    again = claim_addresses(a)
    assert again.slot == mine.slot
    again.release()


def test_processes_of_a_killed_daemon_keep_its_slot(tmp_path: Path) -> None:
    """While a supervisor lives, others go elsewhere and its own cluster comes back."""
    a = directory(tmp_path, "a")
    killed = claim_addresses(a)
    with socket.socket(socket.AF_UNIX) as supervisor:
        supervisor.bind(f"\0{killed.processes}")
        killed.release()
        b = directory(tmp_path, "b")
        (b / "address-slot").write_text(f"{killed.slot}\n")
        with pytest.raises(AddressesInUseError, match="outlived their daemon"):
            claim_addresses(b)
        again = claim_addresses(a)
        assert again.slot == killed.slot
        again.release()


def test_a_changed_record_is_refused(tmp_path: Path) -> None:
    """A slot file that holds no slot gets an error that names it."""
    a = directory(tmp_path, "a")
    (a / "address-slot").write_text("many")
    with pytest.raises(AddressesInUseError, match="address-slot"):
        claim_addresses(a)


def test_a_full_machine_is_told(tmp_path: Path) -> None:
    """With every slot held, the error says what to do."""
    held = [claim_addresses(directory(tmp_path, f"c{n}")) for n in range(addresses.SLOTS)]
    with pytest.raises(AddressesInUseError, match="stop one first"):
        claim_addresses(directory(tmp_path, "late"))
    for claim in held:
        claim.release()
