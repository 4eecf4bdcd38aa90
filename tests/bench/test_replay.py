"""A trace in virtual time: who is placed when, and what is measured of it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.bench.compare.amounts import Amounts, Shares, gpu_milli
from orchestrator.bench.compare.measures import Result, percentile
from orchestrator.bench.compare.replay import Replay
from orchestrator.bench.compare.series import POINTS, Moment, Series
from orchestrator.bench.simulation import Simulation
from orchestrator.bench.traces.fields import make_node, make_pod
from orchestrator.bench.traces.records import NodeComes, NodeGoes, PodComes, Record, TraceError
from orchestrator.bench.traces.synthetic import DEFAULT_NODE, DEFAULT_SHAPES, Mix, generate_trace


def node(name: str, time: float = 0, **amounts: str) -> NodeComes:
    """A node of 4 CPUs and 8Gi, unless said otherwise."""
    return NodeComes(time=time, node=make_node(name, {"cpu": "4", "memory": "8Gi", **amounts}, {}))


def pod(
    name: str,
    time: float = 0,
    duration: float | None = None,
    until: float | None = None,
    **requests: str,
) -> PodComes:
    """A pod that requests 2 CPUs, unless said otherwise."""
    container: dict[str, Any] = {"name": "c", "resources": {"requests": requests or {"cpu": "2"}}}
    made = make_pod(name, "default", {}, {"containers": [container]})
    return PodComes(time=time, pod=made, duration=duration, until=until)


def play(*records: Record, seed: int = 1) -> Result:
    """Replay a trace."""
    return Replay(records, Simulation(seed)).run("p")


def test_a_pod_waits_until_another_leaves() -> None:
    """Two fit; the third gets its place when the first is over, and runs from then on."""
    result = play(node("n"), pod("a", 10, duration=100), pod("b", 10), pod("c", 20, duration=5))
    assert result.pods == result.placements == 3
    assert result.pending == [0, 0, 90]
    assert result.end == 115
    assert result.unplaced == 0
    assert result.used_peak == Shares(1.0, 0.0, None)
    assert result.used_at_refusal == Shares(1.0, 0.0, None)


def test_means_are_taken_between_the_first_arrival_and_the_last() -> None:
    """Half of the node for 10 seconds, all of it for 30."""
    result = play(node("n"), pod("a", 10), pod("b", 20), pod("c", 50, until=60))
    assert result.used.cpu == pytest.approx((0.5 * 10 + 1.0 * 30) / 40)
    assert result.used.gpu is None
    assert result.nodes_used == 1
    assert result.unplaced == 1
    assert result.pending == [0, 0, 10]


def test_what_arrives_at_once_is_measured_at_the_end() -> None:
    """There is no time to take a mean over."""
    result = play(node("n"), node("m"), pod("a"), pod("b", memory="4Gi"), pod("c", cpu="9"))
    assert result.used == Shares(0.25, 0.25, None)
    assert result.nodes_used == 2
    assert result.unplaced == 1
    assert result.end == 0


def test_what_waits_for_months_is_tried_when_something_helps() -> None:
    """Time alone wakes nobody, and costs nothing; the end of the trace is not mistaken for help."""
    month = 30 * 86_400.0
    big = pod("c", 3, cpu="9")
    result = play(node("n"), pod("a", 1, duration=month), pod("b", 2, cpu="3"), big)
    assert result.pending == [0, month - 2, month - 1]
    assert (result.placements, result.unplaced, result.end) == (2, 1, month + 1)
    assert len(result.moments) < 12


def test_a_pod_that_wants_company_is_helped_by_another_that_comes() -> None:
    """Though there is less room then than when it was refused."""
    company = {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchLabels": {"app": "host"}},
            }
        ]
    }
    guest = pod("guest", 1)
    guest.pod["spec"]["affinity"] = {"podAffinity": company}
    host = pod("host", 9)
    host.pod["metadata"]["labels"] = {"app": "host"}
    result = play(node("n"), guest, pod("other", 2, cpu="9"), host)
    assert result.placements == 2
    assert result.pending == [0, 7, 8]


def test_why_pods_are_left_over_is_told() -> None:
    """In the scheduler's words, the most frequent reason first; a gate is one, too."""
    gated = pod("g", 3)
    gated.pod["spec"]["schedulingGates"] = [{"name": "wait"}]
    result = play(node("n"), pod("a", cpu="9"), pod("b", cpu="9"), gated)
    (cpu, twice), gate = result.reasons.items()
    assert cpu.startswith("0/1 nodes are available: 1 Insufficient cpu.")
    assert twice == 2
    assert gate == ("Scheduling is blocked due to non-empty scheduling gates", 1)
    assert result.unplaced == 3


def test_an_important_pod_takes_the_place_of_another() -> None:
    """Which waits anew, and runs for its whole duration once there is room again."""
    important = pod("b", 5, duration=20, cpu="3")
    important.pod["spec"]["priority"] = 100
    result = play(node("n"), pod("a", 0, duration=10, cpu="3"), important)
    assert result.preemptions == 1
    assert result.placements == 3
    assert result.pending == [0, 0, 20]
    assert result.end == 35


def test_pods_of_a_node_that_goes_wait_again() -> None:
    """They start anew on another one, for their whole duration."""
    result = play(
        node("n"), pod("a", 1, duration=10), NodeGoes(time=6, name="n"), node("m", time=20)
    )
    assert result.lost == 1
    assert result.placements == 2
    assert result.pending == [0, 14]
    assert result.end == 30
    assert result.nodes == 1


def test_a_changed_node_lets_waiting_pods_in() -> None:
    """A record of a node that is there replaces its description."""
    result = play(node("n", cpu="1"), pod("a", 1, duration=3), node("n", time=50, cpu="8"))
    assert result.pending == [49]
    assert result.end == 53


def test_a_trace_that_contradicts_itself_is_refused() -> None:
    """Two pods of one name at one time; a node that goes and never came."""
    with pytest.raises(TraceError, match="pod default/a comes at 2 and has not left"):
        play(node("n"), pod("a", 1), pod("a", 2))
    assert play(node("n"), pod("a", 1, duration=1), pod("a", 2)).pods == 2
    with pytest.raises(TraceError, match="node n goes at 3, but is not there"):
        play(NodeGoes(time=3, name="n"))


def test_fragmentation_is_the_free_share_that_typical_pods_cannot_use() -> None:
    """A CPU is free on each of two nodes: none of it for pods of 2; a free node is whole."""
    full = play(node("n"), node("m"), *(pod(name, cpu="3") for name in "ab"))
    assert full.fragmentation.cpu == 1.0
    assert full.fragmentation.memory is None  # no pod asks for any
    half = play(node("n"), node("m"), pod("a", cpu="3"))
    assert half.fragmentation.cpu == pytest.approx(1 / 5)
    mixed = play(node("n"), node("m"), *(pod(name, cpu="3") for name in "ab"), pod("s", cpu="1"))
    # One CPU is free: two of three typical pods cannot use it, the third can.
    assert mixed.fragmentation.cpu == pytest.approx(2 / 3)


def test_a_resource_without_takers_is_not_fragmented() -> None:
    """GPUs are judged by pods that ask for some only."""
    gpus = NodeComes(time=0, node=make_node("n", {"cpu": "4", "nvidia.com/gpu": "2"}, {}))
    one = {"name": "c", "resources": {"requests": {"cpu": "4", "nvidia.com/gpu": "1"}}}
    asks = PodComes(time=0, pod=make_pod("a", "default", {}, {"containers": [one]}))
    result = play(gpus, asks, pod("b", cpu="9"))
    assert result.fragmentation.gpu == 1.0
    assert result.used.gpu == 0.5
    assert gpu_milli([("alibabacloud.com/gpu-milli", 460), ("amd.com/gpu", 1)]) == 1460


def trace(seed: int = 3, pods: int = 400) -> list[Record]:
    """A small cluster under more load than it takes."""
    nodes = ({**DEFAULT_NODE, "count": 6},)
    mix = Mix(rate=0.1, pods=pods, nodes=nodes, shapes=DEFAULT_SHAPES)
    return list(generate_trace(mix, seed))


def test_one_seed_gives_one_result() -> None:
    """Every placement, every wait, every moment; another seed breaks ties in another way."""
    records = trace()
    assert play(*records, seed=5) == play(*records, seed=5)
    assert play(*records, seed=5).moments != play(*records, seed=6).moments


def test_no_moment_has_more_than_there_is() -> None:
    """Whatever the trace: shares stay within 0 and 1, and nobody is counted when all have left."""
    result = play(*trace())
    assert max(result.pending) > 0
    assert result.placements == result.pods
    for moment in result.moments:
        for share in (*moment.used, *moment.fragmentation):
            assert share is None or 0 <= share <= 1
    last = result.moments[-1]
    assert (last.used.cpu, last.waiting, last.nodes_used) == (0, 0, 0)
    assert result.used_peak.cpu is not None
    assert result.used_peak.cpu > 0.8


def test_incremental_fragmentation_is_what_a_fresh_look_gives() -> None:
    """Verdicts that are kept say the same as verdicts made anew at the end."""
    records = [record for record in trace(pods=120) if not isinstance(record, NodeGoes)]
    records = [
        PodComes(time=record.time, pod=record.pod) if isinstance(record, PodComes) else record
        for record in records
    ]
    simulation = Simulation(2)
    replay = Replay(records, simulation)
    kept = replay.run("p").moments[-1].fragmentation
    fresh = Replay([], simulation)
    for name in simulation.nodes:
        fresh._fragmentation.changed(name)
    for record in records:
        if isinstance(record, PodComes):
            fresh._fragmentation.arrived(simulation.class_of(record.pod))
    assert fresh._fragmentation.measure() == pytest.approx(kept)


def test_a_series_stays_small_however_long_it_gets() -> None:
    """And reaches from the first moment to the last."""
    series = Series()
    for time in range(20_000):
        if series.wants(time):
            moment = Moment(
                time=time, used=Shares(), fragmentation=Shares(0.5), waiting=0, nodes_used=0
            )
            series.add(moment)
    assert POINTS / 3 < len(series.moments) <= POINTS
    assert series.moments[0].time == 0
    assert series.moments[-1].time > 19_800
    assert series.mean_fragmentation(20_000) == Shares(0.5, None, None)


def test_percentiles_are_values_that_were_there() -> None:
    """And of nothing there is none."""
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.9, 0.99, 1.0)] == [50, 90, 99, 100]
    assert percentile([], 0.5) is None
    assert Amounts(1, 2, 3).share_of(Amounts(2, 0, 3)) == Shares(0.5, None, 1.0)
