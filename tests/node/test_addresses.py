"""The address pool of a node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.node.addresses import REUSE_DELAY, AddressesExhaustedError, AddressPool


def test_addresses_start_behind_the_nodes_own() -> None:
    """Network and first address are never a pod's."""
    pool = AddressPool("127.64.1.0/24")
    assert [pool.take(0.0), pool.take(0.0)] == ["127.64.1.2", "127.64.1.3"]


def test_a_released_address_is_not_reused_at_once() -> None:
    """Fresh ones go first; after the delay the oldest released one does."""
    pool = AddressPool("127.64.1.0/24")
    first = pool.take(0.0)
    pool.release(first, 10.0)
    assert pool.take(11.0) == "127.64.1.3"
    assert pool.take(10.0 + REUSE_DELAY) == first


def test_a_full_range_is_refused_and_the_delay_gives_way_to_need() -> None:
    """A /29 has five pod addresses."""
    pool = AddressPool("10.0.0.0/29")
    taken = [pool.take(0.0) for _ in range(5)]
    with pytest.raises(AddressesExhaustedError, match=r"all 5 pod addresses of 10\.0\.0\.0/29"):
        pool.take(0.0)
    pool.release(taken[2], 0.0)
    assert pool.take(0.0) == taken[2]


@pytest.mark.parametrize(
    "address", ["127.64.1.1", "127.64.1.0", "127.64.1.255", "127.64.2.9", "nonsense", ""]
)
def test_only_pod_addresses_of_the_range_can_be_claimed(address: str) -> None:
    """A status may hold anything."""
    pool = AddressPool("127.64.1.0/24")
    assert not pool.claim(address)
    assert len(pool) == 0


def test_a_claimed_address_is_not_handed_out() -> None:
    """Rebuilt from statuses after a restart."""
    pool = AddressPool("127.64.1.0/24")
    assert pool.claim("127.64.1.2")
    assert not pool.claim("127.64.1.2")
    assert pool.take(0.0) == "127.64.1.3"


def test_a_claimed_address_that_comes_back_rests_like_any_other() -> None:
    """It must not be handed out twice: as a fresh one, and again when its rest is over."""
    pool = AddressPool("127.64.1.0/24")
    assert pool.claim("127.64.1.2")
    pool.release("127.64.1.2", 0.0)
    assert pool.take(1.0) == "127.64.1.3"
    assert pool.take(REUSE_DELAY) == "127.64.1.2"
    assert pool.take(REUSE_DELAY) == "127.64.1.4"


@given(st.lists(st.integers(min_value=-1, max_value=9)))
def test_no_two_pods_hold_one_address(steps: list[int]) -> None:
    """Whatever the order of taking (-1) and releasing."""
    pool = AddressPool("10.0.0.0/28")
    held: list[str] = []
    for now, step in enumerate(steps):
        if step < 0 or step >= len(held):
            try:
                address = pool.take(float(now))
            except AddressesExhaustedError:
                assert len(held) == 13
                continue
            assert address not in held
            held.append(address)
        else:
            pool.release(held.pop(step), float(now))
    assert len(pool) == len(held)
