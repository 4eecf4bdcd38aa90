"""The address pool of a node."""

from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.node.addresses import REUSE_DELAY, AddressesExhaustedError, AddressPool
from orchestrator.node.configs import SIMULATED_NODES, simulated_node


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


def test_a_million_simulated_nodes_have_addresses_of_their_own() -> None:
    """No two ranges of pods overlap, and none has a node's address or a cluster IP."""
    indexes = [*range(2700, 3000), *range(0, SIMULATED_NODES, 9973), SIMULATED_NODES - 1]
    configs = [simulated_node(index) for index in sorted(set(indexes))]
    pods = [IPv4Network(config.pod_cidr) for config in configs]
    assert all(one.broadcast_address < two.network_address for one, two in pairwise(pods))
    assert len({config.address for config in configs}) == len(configs)
    nodes = IPv4Network("10.0.0.0/12")
    assert all(IPv4Address(config.address) in nodes for config in configs)
    taken = (nodes, IPv4Network("10.96.0.0/16"), IPv4Network("255.255.255.255/32"))
    assert not any(network.overlaps(other) for network in pods for other in taken)


def test_a_node_beyond_the_last_address_is_refused() -> None:
    """Before it could share addresses with another."""
    with pytest.raises(ValueError, match="node index 1000000: simulated nodes have indexes 0 to"):
        simulated_node(SIMULATED_NODES)


def test_the_end_of_an_earlier_holder_takes_no_address_from_the_pod_that_has_it() -> None:
    """A pod that ended gives its address back twice: when it ends, and when it is deleted."""
    pool = AddressPool("127.64.1.0/24")
    address = pool.take(0.0, "earlier")
    pool.release(address, 0.0, "earlier")
    assert pool.claim(address, "later")
    pool.release(address, 1.0, "earlier")
    assert address in pool
    pool.release(address, 2.0, "later")
    assert address not in pool
