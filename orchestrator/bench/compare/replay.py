"""A trace under one policy: what happens in the order of its time, and what comes of it.

At one moment pods leave first, then nodes come and go, then pods come; then the scheduler tries
everything whose turn it is. A pod runs for its duration from the moment it has a node. One that is
evicted, or whose node goes, waits anew and runs for its whole duration again, as a Job's would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush

from orchestrator.bench.compare.amounts import Amounts, Shares
from orchestrator.bench.compare.fragmentation import Fragmentation
from orchestrator.bench.compare.measures import Meter, Result
from orchestrator.bench.compare.series import Moment, Series
from orchestrator.bench.simulation import Evicted, Simulation, capacity_of, demand_of
from orchestrator.bench.traces.records import (
    NodeComes,
    NodeGoes,
    PodComes,
    Record,
    TraceError,
)
from orchestrator.resources.objects import name_of, uid_of
from orchestrator.scheduler.core import PodClass


class _Live:
    """A pod that has come and has not left."""

    __slots__ = ("demand", "life", "node", "pod_class", "record", "since")

    def __init__(self, record: PodComes, pod_class: PodClass) -> None:
        self.record = record
        self.pod_class = pod_class
        self.demand: Amounts = demand_of(pod_class)
        self.since = record.time
        self.node = ""
        self.life = 0  # grows when it loses its node, so that an old departure means nothing


class Replay:
    """Plays one trace to its end; good for one time."""

    def __init__(self, records: Iterable[Record], simulation: Simulation) -> None:
        """Prepare.

        Args:
            records: The trace, sorted by time; read as a stream.
            simulation: Whose scheduler decides.
        """
        self._records: Iterator[Record] = iter(records)
        self._next: Record | None = next(self._records, None)
        self._simulation = simulation
        self._meter = Meter()
        self._fragmentation = Fragmentation(simulation)
        self._series = Series()
        self._live: dict[str, _Live] = {}
        self._departures: list[tuple[float, int, str, int]] = []
        self._order = 0
        self._now = self._changed_at = 0.0
        self._pods = self._placements = self._preemptions = self._lost = self._unplaced = 0
        self._pending: list[float] = []
        self._at_refusal: Shares | None = None

    def run(self, policy: str, advance: Callable[[int], object] = lambda _: None) -> Result:
        """Play it.

        Args:
            policy: The policy's name, for the result.
            advance: Is told how many records were taken since it was told last.

        Raises:
            TraceError: The trace contradicts itself.
        """
        tried = False
        while True:
            now = self._next_time()
            if now is None:
                if tried:
                    break
                self._simulation.try_again()  # nothing else can happen
                now, tried = self._now, True
            self._now = now
            self._meter.advance(now)
            self._leave()
            advance(self._take())
            if self._schedule():
                tried = False
            self._meter.settle()
            if self._series.wants(now):
                self._look()
        self._look()
        end = self._changed_at  # after it, pods waited in vain
        reasons: Counter[str] = Counter()
        for uid, live in self._live.items():
            if not live.node:
                reasons[self._simulation.refusal(uid)] += 1
                self._give_up(live, end)
        used, nodes_used = self._meter.means()
        return Result(
            policy=policy,
            pods=self._pods,
            placements=self._placements,
            unplaced=self._unplaced,
            preemptions=self._preemptions,
            lost=self._lost,
            pending=sorted(self._pending),
            used=used,
            used_peak=Shares(*self._meter.peak),
            used_at_refusal=self._at_refusal,
            fragmentation=self._series.mean_fragmentation(self._meter.window),
            nodes_used=nodes_used,
            nodes_used_peak=self._meter.nodes_used_peak,
            nodes=self._meter.nodes_peak,
            end=end,
            moments=self._series.moments,
            reasons=dict(reasons.most_common()),
        )

    def _next_time(self) -> float | None:
        times = []
        if self._next is not None:
            times.append(self._next.time)
        if self._departures:
            times.append(self._departures[0][0])
        again = self._simulation.next_time()
        if again is not None:
            times.append(max(again, self._now))
        return min(times, default=None)

    def _leave(self) -> None:
        while self._departures and self._departures[0][0] <= self._now:
            _, _, uid, life = heappop(self._departures)
            live = self._live.get(uid)
            if live is None or (life >= 0 and live.life != life):
                continue
            del self._live[uid]
            self._changed_at = self._now
            if live.node:
                self._off(live)
            else:
                self._give_up(live, self._now)
            self._simulation.withdraw(uid)

    def _take(self) -> int:
        count = 0
        while self._next is not None and self._next.time <= self._now:
            match self._next:
                case PodComes() as record:
                    self._pod_comes(record)
                case NodeComes(node=node):
                    name = name_of(node)
                    self._simulation.put_node(node)
                    self._meter.put_node(name, capacity_of(self._simulation.nodes[name]))
                    self._fragmentation.changed(name)
                case NodeGoes(name=name):
                    self._node_goes(name)
            self._next = next(self._records, None)
            self._changed_at = self._now
            count += 1
        return count

    def _pod_comes(self, record: PodComes) -> None:
        uid = uid_of(record.pod)
        if uid in self._live:
            raise TraceError(
                f"pod {uid} comes at {record.time:g} and has not left since it came before; "
                "pods that are there at one time need different names"
            )
        pod_class = self._simulation.class_of(record.pod)
        live = self._live[uid] = _Live(record, pod_class)
        if record.node is not None:
            self._stands(live, uid, record.node)
            return
        self._pods += 1
        self._meter.pod_arrived(self._now)
        self._fragmentation.arrived(pod_class)
        if record.until is not None:
            self._depart(record.until, uid, -1)
        self._simulation.submit(uid, record.pod, self._now)

    def _stands(self, live: _Live, uid: str, node: str) -> None:
        """Count a pod that is on its node from the beginning; it is no arrival."""
        if node not in self._simulation.nodes:
            del self._live[uid]
            return
        self._simulation.place(uid, live.record.pod, node)
        live.node = node
        self._meter.place(node, live.demand)
        self._fragmentation.changed(node)

    def _node_goes(self, name: str) -> None:
        if name not in self._simulation.nodes:
            raise TraceError(f"node {name} goes at {self._now:g}, but is not there")
        for uid in self._simulation.remove_node(name):
            self._lost += 1
            self._wait_again(uid)
        self._meter.remove_node(name)
        self._fragmentation.changed(name)

    def _schedule(self) -> bool:
        """Let the scheduler work; tell whether anything came of it."""
        changes = self._simulation.schedule(self._now)
        for change in changes:
            self._changed_at = self._now
            if isinstance(change, Evicted):
                self._preemptions += 1
                self._wait_again(change.uid)
                continue
            uid, node = change
            live = self._live[uid]
            live.node = node
            self._placements += 1
            self._pending.append(self._now - live.since)
            self._meter.place(node, live.demand)
            self._fragmentation.changed(node)
            if live.record.duration is not None:
                self._depart(self._now + live.record.duration, uid, live.life)
        if self._at_refusal is None and self._simulation.waiting:
            self._at_refusal = self._meter.shares
        return bool(changes)

    def _wait_again(self, uid: str) -> None:
        live = self._live[uid]
        self._off(live)
        live.life += 1
        live.since = self._now
        self._simulation.submit(uid, live.record.pod, self._now)

    def _off(self, live: _Live) -> None:
        self._meter.displace(live.node, live.demand)
        self._fragmentation.changed(live.node)
        live.node = ""

    def _give_up(self, live: _Live, time: float) -> None:
        self._unplaced += 1
        self._pending.append(time - live.since)

    def _depart(self, time: float, uid: str, life: int) -> None:
        """Let a pod leave at a time, in the life it has now; -1 is for whichever it has then."""
        self._order += 1
        heappush(self._departures, (time, self._order, uid, life))

    def _look(self) -> None:
        self._series.add(
            Moment(
                time=self._now,
                used=self._meter.shares,
                fragmentation=self._fragmentation.measure(),
                waiting=self._simulation.waiting,
                nodes_used=self._meter.nodes_used,
            )
        )
