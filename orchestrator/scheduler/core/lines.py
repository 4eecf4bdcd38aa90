"""Two lines that pods stand in: the ready ones by priority, and those that back off by time.

Leaving a line is O(1): the entry stays, and is passed over when it comes up. Of the ready ones such
entries are thrown out before they outnumber the others; those that back off are gone soon anyway.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from orchestrator.scheduler.core.waiting import WaitingPod

_TOLERATED = 1024
"""So many stale entries are kept in any case."""


class _Lane:
    """Pods of one priority; most come in order, and those that do not stand beside."""

    __slots__ = ("last", "late", "line")

    def __init__(self) -> None:
        self.line: deque[WaitingPod] = deque()
        self.last = 0
        self.late: list[tuple[int, WaitingPod]] = []

    def pop(self) -> WaitingPod:
        line, late = self.line, self.late
        if late and (not line or late[0][0] < line[0].order):
            return heappop(late)[1]
        return line.popleft()


class _Lanes:
    """Pods by priority, the highest first, then by their order; stale ones among them.

    Attributes:
        first: The lane of the highest priority; None when there is no entry.
    """

    __slots__ = ("_lanes", "_priorities", "first")

    def __init__(self) -> None:
        self._lanes: dict[int, _Lane] = {}
        self._priorities: list[int] = []  # negative, a heap: exactly those that have a lane
        self.first: _Lane | None = None

    def push(self, pod: WaitingPod) -> None:
        lane = self._lanes.get(pod.priority)
        if lane is None:
            lane = self._lanes[pod.priority] = _Lane()
            heappush(self._priorities, -pod.priority)
            self.first = self._lanes[-self._priorities[0]]
        order = pod.order
        if order >= lane.last:
            lane.line.append(pod)
            lane.last = order
        else:
            heappush(lane.late, (order, pod))

    def pop(self) -> WaitingPod:
        """Take the first entry out; there must be one."""
        lane = self.first
        assert lane is not None
        pod = lane.pop() if lane.late else lane.line.popleft()
        if not lane.line and not lane.late:
            del self._lanes[-heappop(self._priorities)]
            self.first = self._lanes[-self._priorities[0]] if self._priorities else None
        return pod

    def keep(self, place: str) -> None:
        """Throw out the entries of pods that are at another place."""
        for lane in self._lanes.values():
            lane.line = deque(pod for pod in lane.line if pod.place == place)
            lane.late = [entry for entry in lane.late if entry[1].place == place]
            heapify(lane.late)
        self._lanes = {
            priority: lane for priority, lane in self._lanes.items() if lane.line or lane.late
        }
        self._priorities = sorted(-priority for priority in self._lanes)
        self.first = self._lanes[-self._priorities[0]] if self._priorities else None


class ReadyLine:
    """Pods that can be tried now: the highest priority first, then by their order.

    A pod stands in it as long as its place is ``active``. One that has left does not come back
    before it was taken: that is how a stale entry is told from a good one.
    """

    def __init__(self) -> None:
        self._lanes = _Lanes()
        self._count = 0
        self._stale = 0

    def __len__(self) -> int:
        return self._count

    def push(self, pod: WaitingPod) -> None:
        """Let a pod stand in line."""
        pod.place = "active"
        self._count += 1
        self._lanes.push(pod)

    def leave(self) -> None:
        """Count a pod out that stood in line; the caller gives it its new place before."""
        self._count -= 1
        self._stale += 1
        if self._stale > _TOLERATED and self._stale > self._count:
            self._lanes.keep("active")
            self._stale = 0

    def take(self, limit: int) -> list[WaitingPod]:
        """Take up to ``limit`` pods; their place becomes ``taken``."""
        taken: list[WaitingPod] = []
        lanes = self._lanes
        pop = lanes.pop
        while len(taken) < limit and lanes.first is not None:
            pod = pop()
            if pod.place == "active":
                pod.place = "taken"
                taken.append(pod)
            else:
                self._stale -= 1
        self._count -= len(taken)
        return taken


class BackoffLine:
    """Pods that wait for a time; those of one time stand by priority, then by their order.

    A pod stands in it as long as its place is ``backoff`` and its ``Attempts.due`` the time.
    """

    def __init__(self) -> None:
        self._windows: dict[float, _Lanes] = {}
        self._times: list[float] = []  # a heap: exactly those that have a window
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, pod: WaitingPod, due: float) -> None:
        """Let a pod that was tried wait until ``due``."""
        assert pod.attempts is not None
        pod.attempts.due = due
        pod.place = "backoff"
        self._count += 1
        window = self._windows.get(due)
        if window is None:
            window = self._windows[due] = _Lanes()
            heappush(self._times, due)
        window.push(pod)

    def leave(self) -> None:
        """Count a pod out that stood in line; the caller gives it its new place."""
        self._count -= 1
        if not self._count:
            self._windows.clear()
            self._times.clear()

    def first_due(self) -> float | None:
        """Return when the first pod is due, or a little before; None when nobody waits."""
        return self._times[0] if self._times else None

    def pop_due(self, now: float) -> Iterator[WaitingPod]:
        """Take out the pods whose time has come; the caller gives each its new place at once."""
        while self._times and self._times[0] <= now:
            due = heappop(self._times)
            window = self._windows.pop(due)
            while window.first is not None:
                pod = window.pop()
                if _waits_until(due, pod):
                    self._count -= 1
                    yield pod

    def take(self, limit: int) -> list[WaitingPod]:
        """Take up to ``limit`` pods though their time has not come; they become ``taken``."""
        taken: list[WaitingPod] = []
        while len(taken) < limit and self._times:
            due = self._times[0]
            window = self._windows[due]
            while window.first is not None and len(taken) < limit:
                pod = window.pop()
                if _waits_until(due, pod):
                    pod.place = "taken"
                    taken.append(pod)
            if window.first is None:
                heappop(self._times)
                del self._windows[due]
        self._count -= len(taken)
        return taken


def _waits_until(due: float, pod: WaitingPod) -> bool:
    return pod.place == "backoff" and pod.attempts is not None and pod.attempts.due == due
