"""Pods that have a place and wait for permits of plugins. Pure: the caller says what time it is.

Source of the rules and words: ``pkg/scheduler/framework/runtime/waiting_pods_map.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Generic, NamedTuple, TypeAlias, TypeVar

PodT = TypeVar("PodT")
_Due: TypeAlias = tuple[float, int, str, str, float]  # deadline, order, uid, plugin, seconds


class Refused(NamedTuple):
    """Why a waiting pod lost its place."""

    plugin: str
    reason: str


class Decided(NamedTuple, Generic[PodT]):
    """A pod that waits no longer.

    Attributes:
        pod: What was given to `WaitingPods.add`.
        refused: None where all permits were given.
    """

    pod: PodT
    refused: Refused | None


class _Waiting(Generic[PodT]):
    __slots__ = ("lacking", "order", "pod")

    def __init__(self, pod: PodT, lacking: set[str], order: int) -> None:
        self.pod = pod
        self.lacking = lacking
        self.order = order


class WaitingPods(Generic[PodT]):
    """Waiting pods by uid, each with the plugins whose permits it lacks."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting[PodT]] = {}
        self._due: list[_Due] = []
        self._order = 0
        self._decided: list[Decided[PodT]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, uid: object) -> bool:
        return uid in self._waiting

    def pods(self) -> list[PodT]:
        """Return the pods that wait, in the order in which they came."""
        return [one.pod for one in self._waiting.values()]

    def add(self, uid: str, pod: PodT, waits: Mapping[str, float], now: float) -> None:
        """Let a pod wait.

        Args:
            uid: Its uid.
            pod: What `Decided` has to hold of it.
            waits: Seconds by plugin.
            now: The time.
        """
        self._order += 1
        self._waiting[uid] = _Waiting(pod, set(waits), self._order)
        for plugin, seconds in waits.items():
            heappush(self._due, (now + seconds, self._order, uid, plugin, seconds))

    def allow(self, uid: str, plugin: str) -> None:
        """Give a permit; nothing happens where none is lacking."""
        one = self._waiting.get(uid)
        if one is None:
            return
        one.lacking.discard(plugin)
        if not one.lacking:
            del self._waiting[uid]
            self._decided.append(Decided(one.pod, None))

    def reject(self, uid: str, plugin: str, reason: str) -> None:
        """Refuse a permit; nothing happens where the pod does not wait."""
        one = self._waiting.pop(uid, None)
        if one is not None:
            self._decided.append(Decided(one.pod, Refused(plugin, reason)))

    def remove(self, uid: str) -> PodT | None:
        """Forget a pod that is gone; return it if it waited."""
        one = self._waiting.pop(uid, None)
        return None if one is None else one.pod

    def advance(self, now: float) -> None:
        """Refuse what has waited too long."""
        while (due := self._first_due()) is not None and due[0] <= now:
            _, _, uid, plugin, seconds = heappop(self._due)
            waited = go_duration(seconds)
            reason = f"rejected due to timeout after waiting {waited} at plugin {plugin}"
            self.reject(uid, plugin, reason)

    def next_time(self) -> float | None:
        """Return when `advance` will have something to do; None when nobody waits."""
        due = self._first_due()
        return None if due is None else due[0]

    def _first_due(self) -> _Due | None:
        """Return the next end of a wait, dropping those of pods that wait no longer."""
        while self._due:
            _, order, uid, plugin, _ = self._due[0]
            one = self._waiting.get(uid)
            if one is not None and one.order == order and plugin in one.lacking:
                return self._due[0]
            heappop(self._due)
        return None

    def has_decided(self) -> bool:
        """Tell whether `take` would return something."""
        return bool(self._decided)

    def take(self) -> list[Decided[PodT]]:
        """Return, once, the pods that wait no longer, in the order of the decisions."""
        decided, self._decided = self._decided, []
        return decided


def go_duration(seconds: float) -> str:
    """Return seconds as Go prints a duration: ``1m30s``, ``0.5s`` as ``500ms``."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{rest:g}s"
    if hours or minutes:
        text = f"{minutes:g}m{text}"
    return f"{hours:g}h{text}" if hours else text
