"""Pods that wait for a node: which one is tried next, and when one that was rejected tries again.

Pure state: the caller says what time it is, in seconds of one clock that never goes back. Nothing
here goes through all pods; a pod costs O(1) on its way, and an event one question for each group of
pods that wait for its kind (`orchestrator.scheduler.core.rejected`).

How to use it::

    queue = SchedulingQueue(registrations_of(FILTERS), look=partial_reject, settings=settings)
    queue.add(WaitingPod(uid, key, pod_class, priority), now)          # or gated=True
    queue.update(uid, pod_class, now)                                  # labels or gates changed
    queue.remove(uid)                                                  # gone, or somebody bound it
    queue.happened(PodChange(ClusterEvent.POD_REMOVED, pod, node))     # every change, in order

    for pod in queue.take(500, now):        # place: taken
        ...                                 # a node was found: keep it taken until it is bound
        queue.bound([pod])                  # it is bound
        queue.reject(pod, message, plugins, now)        # no node; ``plugins`` said no
        queue.retry(pod, now)               # an error: nobody rejected it

    queue.activate([pod])                   # a plugin wants these tried now (gangs)
    queue.next_time()                       # when to call ``advance`` (or ``take``) at the latest
    queue.advance(now)

What happened while a pod is taken is held against its rejection when it comes back, however late
that is. The caller reports every change that `orchestrator.scheduler.core.events` has a name for,
its own placements among them (POD_ADDED, once they are written); it costs next to nothing while
nobody waits for it.

Source of the rules: ``pkg/scheduler/backend/queue`` of kube-scheduler 1.35. What differs: a pod
whose attempt ended in an error backs off to the moment and not to the full second; of a group that
waits for room only as many pods are woken as there is room for.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice, takewhile
from math import floor, inf
from typing import Final, NamedTuple, TypeAlias

from orchestrator.records import dataclass
from orchestrator.scheduler.core.changes import Change, Registration
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.events import label_of
from orchestrator.scheduler.core.lines import BackoffLine, ReadyLine
from orchestrator.scheduler.core.rejected import Look, RejectedPods, registrations_of
from orchestrator.scheduler.core.waiting import NOBODY, Attempts, Group, WaitingPod

__all__ = ["QueueSettings", "QueueStatistics", "SchedulingQueue", "WaitingPod"]

_EVENTS_KEPT: Final = 8192
_WINDOW: Final = 1.0  # seconds; pods whose backoff ends in one window stand by priority
_DOUBLINGS: Final = 30  # so that a float can hold it
_FLUSHES: Final = 10  # in the time after which a pod is flushed; upstream looks every 30 s


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """How long pods wait; the defaults are upstream's.

    Attributes:
        initial_backoff: Seconds after the first attempt in vain; doubles with each further one.
        max_backoff: The most seconds that it comes to.
        flush_after: Seconds after which a rejected pod is tried again though nothing happened
            that could help: hints may be wrong.
        pops_from_backoff: A rejected pod that an event may help is tried before its backoff is
            over when no other pod is ready (``SchedulerPopFromBackoffQ``).
    """

    initial_backoff: float = 1.0
    max_backoff: float = 10.0
    flush_after: float = 300.0
    pops_from_backoff: bool = True


class QueueStatistics(NamedTuple):
    """How many pods wait where: ``scheduler_pending_pods``.

    Attributes:
        active: Ready to be tried.
        backoff: To be tried after some time.
        unschedulable: Rejected; they wait for an event.
        gated: Not to be tried while they have gates.
        taken: The scheduler has them.
    """

    active: int
    backoff: int
    unschedulable: int
    gated: int
    taken: int


_Kept: TypeAlias = "Change | WaitingPod"


class SchedulingQueue:
    """All waiting pods by uid, each in one of upstream's queues or taken."""

    def __init__(
        self,
        registrations: Mapping[str, Registration] | None = None,
        *,
        look: Look | None = None,
        settings: QueueSettings = QueueSettings(),  # noqa: B008 - frozen, which ruff cannot see here
    ) -> None:
        """Begin without any pod.

        Args:
            registrations: What plugins want to hear of, by their names; the default plugins'
                unless given.
            look: Asks all filters about one node. Without it every hint is believed.
            settings: How long pods wait.
        """
        self._settings = settings
        self._pods: dict[str, WaitingPod] = {}
        self._ready = ReadyLine()
        self._backoff = BackoffLine()
        self._failed = BackoffLine()  # after an error: nobody may cut this short
        if registrations is None:
            registrations = registrations_of()
        self._rejected = RejectedPods(registrations, look)
        self._gated = 0
        self._taken = 0
        self._order = 0
        self._flush_at: float | None = None  # no pod is to be flushed before
        # What happened since the first of the taken pods was taken, and its number.
        self._kept: deque[_Kept] = deque(maxlen=_EVENTS_KEPT)
        self._happened = 0
        self._updates: dict[str, PodClass] = {}
        self._arrived = self._failures = 0
        self._incoming: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def get(self, uid: str) -> WaitingPod | None:
        """Return the pod with this uid, if it waits."""
        return self._pods.get(uid)

    def uids_in(self, namespaces: Collection[str]) -> list[str]:
        """Return the pods that wait in some namespaces; goes through all pods that wait."""
        return [uid for uid, pod in self._pods.items() if pod.key.namespace in namespaces]

    # ---- pods come, change and go

    def add(self, pod: WaitingPod, now: float, *, gated: bool = False) -> None:
        """Let a new pod wait, ready to be tried; replaces what is known under its uid.

        Args:
            pod: One that no queue has seen yet.
            now: The time.
            gated: It has scheduling gates, and is kept until `update` says otherwise.
        """
        if pod.uid in self._pods:
            self.remove(pod.uid)
        self._order += 1
        pod.order = self._order
        self._pods[pod.uid] = pod
        if gated:
            pod.place = "gated"
            self._gated += 1
            return
        pod.entered = now
        self._arrived += 1
        self._ready.push(pod)

    def update(
        self, uid: str, pod_class: PodClass, now: float, *, gated: bool = False
    ) -> WaitingPod | None:
        """Take over a change of a waiting pod: another class, or no gates any more.

        A rejected pod whose class changed is tried again. A taken one keeps its class, which
        may count on a node, until it is handed back, and then tries again.

        Returns:
            The pod; None when none waits under this uid.
        """
        pod = self._pods.get(uid)
        if pod is None:
            return None
        changed = pod_class is not pod.pod_class
        match pod.place:
            case "taken":
                if changed:
                    self._updates[uid] = pod_class
                    self._keep(pod)
                elif self._updates:
                    self._updates.pop(uid, None)  # it was changed, and changed back
            case "gated":
                pod.pod_class = pod_class
                if not gated:
                    self._gated -= 1
                    pod.entered = now
                    self._activate(pod, "UnschedulablePodUpdate")
            case "unschedulable" if changed:
                self._leave_group(pod)
                pod.pod_class = pod_class
                self._requeue(pod, now, "UnschedulablePodUpdate")
            case _ if changed:
                self._relieve(pod)
                pod.pod_class = pod_class
            case _:
                pass
        return pod

    def remove(self, uid: str) -> None:
        """Forget a pod: it has a node now, or is gone."""
        pod = self._pods.pop(uid, None)
        if pod is None:
            return
        place, pod.place = pod.place, "gone"
        match place:
            case "taken":
                self._release(pod)
            case "active":
                self._ready.leave()
                self._relieve(pod)
            case "backoff":
                self._line_of(pod).leave()
                self._relieve(pod)
            case "unschedulable":
                self._leave_group(pod)
            case "gated":
                self._gated -= 1
            case _:
                pass
        pod.attempts = None

    def bound(self, pods: Iterable[WaitingPod]) -> None:
        """Forget taken pods that have a node now: `remove` for many, what else it does left out."""
        waiting = self._pods
        for pod in pods:
            if pod.place == "taken" and waiting.get(pod.uid) is pod:
                del waiting[pod.uid]
                pod.place = "gone"
                pod.attempts = None
                self._release(pod)

    # ---- attempts

    def take(self, limit: int, now: float) -> list[WaitingPod]:
        """Take up to ``limit`` pods to try, the highest priority first, then in their order.

        Each must be handed back by `reject` or `retry`, or be dropped by `remove`.
        """
        self.advance(now)
        taken = self._ready.take(limit)
        if len(taken) < limit and self._backoff and self._settings.pops_from_backoff:
            early = self._backoff.take(limit - len(taken))
            self._incoming["active", "PopFromBackoffQ"] += len(early)
            taken += early
        since = self._happened
        for pod in taken:
            pod.since = since
        self._taken += len(taken)
        return taken

    def has_ready(self) -> bool:
        """Tell whether `take` might return something."""
        return bool(
            self._ready
            or (self._settings.pops_from_backoff and self._backoff)
            or self._rejected.unasked
        )

    def reject(
        self,
        pod: WaitingPod,
        message: str,
        plugins: frozenset[str],
        now: float,
        *,
        pending: frozenset[str] = NOBODY,
        nominated: bool = False,
    ) -> None:
        """Let a pod wait until something happens that helps, unless it has happened already.

        Args:
            pod: A taken one, which counts on no node any more.
            message: Why, for its condition.
            plugins: Who rejected it: the plugins of all nodes' rejections. Must not be empty.
            now: The time.
            pending: Those of them that only want it to wait for something: it need not back off.
            nominated: It waits for pods that leave a node for it: `activate` it when they have.
        """
        if pod.place != "taken":
            return
        missed = self._missed_by(pod) if pod.since != self._happened else ()
        attempts = self._hand_back(pod, now)
        attempts.rejections += 1
        attempts.errors = 0
        attempts.message = message
        attempts.plugins = plugins
        attempts.pending = pending
        attempts.nominated = nominated
        if attempts.scout is not None:
            # One that found victims just now: the next one may find some too.
            found_victims = nominated and attempts.scout[2]
            if plugins != attempts.scout[3] or found_victims:
                self._relieve(pod)
            attempts.scout = None
        group = self._rejected.group_of(pod, plugins, pending)
        if missed is None or missed:
            at_once, helped = self._replay(pod, group, missed)
            if helped:
                self._requeue(pod, now, "ScheduleAttemptFailure", at_once=at_once)
                return
        pod.place = "unschedulable"
        self._rejected.add(pod, group)
        self._failures += 1
        if self._flush_at is None:
            self._flush_at = now + self._settings.flush_after

    def retry(self, pod: WaitingPod, now: float) -> None:
        """Try a pod again after a backoff: nobody rejected it, but it could not be bound."""
        if pod.place != "taken":
            return
        attempts = self._hand_back(pod, now)
        attempts.errors += 1
        attempts.plugins = attempts.pending = NOBODY
        attempts.scout = None
        self._requeue(pod, now, "ScheduleAttemptFailure")

    def activate(self, pods: Iterable[WaitingPod]) -> None:
        """Make pods ready at once, without a backoff: a plugin knows that it is their turn.

        One that is taken backs off instead of waiting for an event when it is rejected. Gated ones
        stay gated.
        """
        for pod in pods:
            match pod.place:
                case "unschedulable":
                    self._leave_group(pod)
                    self._activate(pod, "ForceActivate")
                case "backoff":
                    self._line_of(pod).leave()
                    self._activate(pod, "ForceActivate")
                case "taken":
                    self._keep(pod)
                case _:
                    pass

    # ---- events and time

    def happened(self, change: Change) -> None:
        """Take note of a change of the cluster, after it was made there."""
        if self._taken:
            self._keep(change)
        self._rejected.note(change)

    def advance(self, now: float) -> None:
        """Let pods try again that an event may have helped, or whose time has come."""
        if self._rejected.unasked:
            for pods, at_once, event in self._rejected.wake():
                label = label_of(event)
                for pod in pods:
                    self._requeue(pod, now, label, at_once=at_once)
        for line in (self._backoff, self._failed):
            if line:
                for pod in line.pop_due(now):
                    self._activate(pod, "BackoffComplete")
        if self._flush_at is not None and now >= self._flush_at:
            self._flush(now)

    def next_time(self) -> float | None:
        """Return when `advance` will have something to do; None when nothing waits for time."""
        times = [self._failed.first_due(), self._flush_at]
        if not self._settings.pops_from_backoff:
            times.append(self._backoff.first_due())
        return min((time for time in times if time is not None), default=None)

    def statistics(self) -> QueueStatistics:
        """Count the pods, in O(1)."""
        return QueueStatistics(
            active=len(self._ready),
            backoff=len(self._backoff) + len(self._failed),
            unschedulable=len(self._rejected),
            gated=self._gated,
            taken=self._taken,
        )

    def incoming(self) -> dict[tuple[str, str], int]:
        """Count the pods that came into a queue, by queue and by what for, in upstream's words.

        ``scheduler_queue_incoming_pods_total``.
        """
        found = Counter(self._incoming)
        found["active", "UnschedulablePodAdd"] += self._arrived
        found["unschedulable", "ScheduleAttemptFailure"] += self._failures
        return dict(+found)

    def rejected_by(self) -> dict[tuple[str, str], int]:
        """Count the rejected pods by each plugin that rejected them last, and by their profile."""
        found: Counter[tuple[str, str]] = Counter()
        for group in self._rejected.groups():
            for plugin in group.key[3]:
                found[plugin, group.pod_class.shape.scheduler_name] += len(group.pods)
        return dict(found)

    # ---- one pod from place to place

    def _activate(self, pod: WaitingPod, label: str) -> None:
        self._ready.push(pod)
        self._incoming["active", label] += 1

    def _requeue(self, pod: WaitingPod, now: float, label: str, *, at_once: bool = False) -> None:
        """Let a pod that was tried before be tried again, after its backoff if that is not over."""
        attempts = pod.attempts
        due = -inf
        if attempts is not None and not at_once:
            due = attempts.ended + self._backoff_of(attempts.errors or attempts.rejections)
        if attempts is None or due <= now:
            self._activate(pod, label)
            return
        if not attempts.errors and self._settings.pops_from_backoff:
            due = floor(due) + _WINDOW
        self._line_of(pod).push(pod, due)
        self._incoming["backoff", label] += 1

    def _line_of(self, pod: WaitingPod) -> BackoffLine:
        return self._failed if pod.attempts is not None and pod.attempts.errors else self._backoff

    def _leave_group(self, pod: WaitingPod) -> None:
        attempts = pod.attempts
        assert attempts is not None
        group = self._rejected.group_of(pod, attempts.plugins, attempts.pending)
        self._rejected.remove(pod, group)

    def _hand_back(self, pod: WaitingPod, now: float) -> Attempts:
        """Note the end of an attempt in vain."""
        pod_class = self._updates.get(pod.uid)
        self._release(pod)
        if pod_class is not None:
            pod.pod_class = pod_class
        self._order += 1
        pod.order = self._order
        attempts = pod.attempts
        if attempts is None:
            attempts = pod.attempts = Attempts()
        attempts.count += 1
        attempts.ended = now
        return attempts

    def _release(self, pod: WaitingPod) -> None:
        self._taken -= 1
        if not self._taken:
            self._kept.clear()
        if self._updates:
            self._updates.pop(pod.uid, None)

    def _backoff_of(self, failures: int) -> float:
        settings = self._settings
        doublings = min(failures - 1, _DOUBLINGS)
        return min(settings.max_backoff, settings.initial_backoff * (1 << doublings))

    def _relieve(self, pod: WaitingPod) -> None:
        """Wake the next one where others rely on a pod that will not be tried in their place.

        It backs off for as long as it has to, which `advance` sees to.
        """
        attempts = pod.attempts
        if attempts is None or attempts.scout is None:
            return
        group = self._rejected.get(attempts.scout)
        attempts.scout = None
        if group is not None:
            for other in self._rejected.take(group, 1):
                self._requeue(other, -inf, "ScheduleAttemptFailure")

    # ---- what happened meanwhile

    def _keep(self, change: _Kept) -> None:
        self._kept.append(change)
        self._happened += 1

    def _missed_by(self, pod: WaitingPod) -> Sequence[_Kept] | None:
        """Return what happened since a pod was taken; None when that is too much to know."""
        number = self._happened - pod.since
        kept = self._kept
        return list(islice(kept, len(kept) - number, None)) if number <= len(kept) else None

    def _replay(
        self, pod: WaitingPod, group: Group, missed: Sequence[_Kept] | None
    ) -> tuple[bool, bool]:
        """Tell whether what happened meanwhile helps a pod: without a backoff, and at all."""
        if missed is None:
            return False, True
        for change in missed:
            if isinstance(change, WaitingPod):
                if change is pod:
                    return False, True
                continue
            at_once, number = self._rejected.ask(group, change)
            if number:
                return at_once, True
        return False, False

    def _flush(self, now: float) -> None:
        """Let those try again that have waited for long."""
        before = now - self._settings.flush_after
        oldest: float | None = None
        for group in self._rejected.groups():
            stale = sum(
                1 for _ in takewhile(lambda pod: _ended(pod) <= before, group.pods.values())
            )
            if stale:
                for pod in self._rejected.take(group, stale):
                    self._requeue(pod, now, "UnschedulableTimeout")
            if group.pods:
                first = _ended(next(iter(group.pods.values())))
                oldest = first if oldest is None else min(oldest, first)
        self._flush_at = None
        if oldest is not None:
            after = self._settings.flush_after
            self._flush_at = max(oldest + after, now + after / _FLUSHES)


def _ended(pod: WaitingPod) -> float:
    return 0.0 if pod.attempts is None else pod.attempts.ended
