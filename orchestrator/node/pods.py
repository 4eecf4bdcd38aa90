"""The pod actor: one pod's containers, from being bound to the node to being gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeAlias, assert_never

from actors import Actor, Timer
from orchestrator.node import core, launching
from orchestrator.node.admission import is_terminal
from orchestrator.node.adopting import take_over
from orchestrator.node.containers import Containers
from orchestrator.node.core import decide_pod
from orchestrator.node.events import PodEvents
from orchestrator.node.hooks import HookEnded
from orchestrator.node.outbox import Proposal
from orchestrator.node.pod_messages import PodRemoved, PodSeen, Reconsider, RuntimeTold
from orchestrator.node.preparing import Preparation, PreparationDue
from orchestrator.node.prober import ProbeAnswered, ProbeDue, Prober
from orchestrator.node.states import (
    ContainerState,
    Phase,
    PodState,
    Role,
    containers_of,
    debuggers_of,
    inits_of,
)
from orchestrator.node.statuses import pod_status
from orchestrator.node.support import limits_of, unsupported_of_debugger
from orchestrator.node.surroundings import PodEntry, Surroundings
from orchestrator.records import dataclass
from orchestrator.resources.objects import uid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Woken:
    """The time has come that the last decision named."""


Command: TypeAlias = (
    PodSeen
    | PodRemoved
    | Reconsider
    | RuntimeTold
    | _Woken
    | PreparationDue
    | ProbeDue
    | ProbeAnswered
    | HookEnded
)


class PodActor(Actor[Command]):
    """Runs one pod. A full mailbox refuses; a node sends a few messages for each change at most.

    Restarted after a failure, it rebuilds itself from the pod and the runtime's records.
    """

    __slots__ = (
        "_around",
        "_cleared",
        "_compared",
        "_containers",
        "_entry",
        "_events",
        "_preparation",
        "_prober",
        "_settled",
        "_state",
        "_timer",
        "_waking_at",
    )

    mailbox_limit: ClassVar[int] = 4096

    def __init__(
        self,
        around: Surroundings,
        entry: PodEntry,
        cleared: Callable[[str], None],
        settled: Callable[[str], None],
    ) -> None:
        """Prepare.

        Args:
            around: What the node's pods share.
            entry: The newest revision, kept up to date by the node.
            cleared: Called with the uid when nothing of the pod is left.
            settled: Called with the uid whenever nothing will happen to the pod by itself: the
                actor is not needed until then.
        """
        self._around = around
        self._entry = entry
        self._cleared = cleared
        self._settled = settled
        self._timer: Timer | None = None
        self._waking_at: float | None = None
        self._compared: object = None

    # -- start and adoption

    def started(self) -> None:
        """Take over what runs of the pod, then do what it needs."""
        around = self._around
        pod = self._entry.latest
        now = self.context.clock.now()
        self._state = state = PodState(
            pod=pod,
            containers=containers_of(pod["spec"]),
            inits=inits_of(pod["spec"]),
            debuggers=debuggers_of(pod["spec"]),
            host=around.config.address,
            runtime=around.runtime.name,
            started_at=now,
            unsupported=launching.unsupported_of(pod, around.runtime.executes, around.user),
            status=self._entry.proposed,
            gone=self._entry.removed,
            refused=self._entry.refused,
        )
        self._events = events = PodEvents(around, state)
        self._prober = prober = Prober(self.context, around, state, events.warn)
        records = around.runtime.known(pod["metadata"]["uid"])
        if records or pod["status"].get("containerStatuses"):
            take_over(state, around, records, prober.begin)
        self._preparation = Preparation(self.context, around, state, events)
        self._containers = Containers(
            self.context, around, self._entry, state, events, prober, self._preparation.volumes
        )
        for container in state.all():
            container.hooked = container.id in self._entry.hooked
            self._containers.hear_last_words(container)
        if state.refused is None:
            self._tell_limits(known=bool(records))
        elif self._entry.proposed is None:
            events.warn(state.refused.reason, state.refused.message)
        self._preparation.settle(records[0].address if records else "")
        self._compare()
        self._reconcile()

    def _tell_limits(self, *, known: bool) -> None:
        """Tell what the node does not do for the pod.

        Args:
            known: Whether it was told before.
        """
        for item in self._state.unsupported:
            self._events.warn("UnsupportedField", str(item))
        if self._around.runtime.executes and not known and not self._state.unsupported:
            for path in limits_of(self._state.pod):
                text = f"{path}: limits count for scheduling but are not enforced on processes"
                self._events.warn("LimitsNotEnforced", text)

    # -- messages

    def receive(self, message: Command) -> None:
        """Take the news, then do what the pod needs now."""
        self._state.pod = self._entry.latest
        self._entry.settled = False
        match message:
            case PodSeen():
                self._entry.unheard -= 1
                self._see()
            case PodRemoved():
                self._entry.unheard -= 1
                self._state.gone = True
                self._reconcile()
            case Reconsider():
                self._entry.unheard -= 1
                self._preparation.settle()
                self._reconcile()
            case PreparationDue():
                self._preparation.settle()
                self._reconcile()
            case _Woken():
                self._waking_at = self._timer = None
                self._reconcile()
            case RuntimeTold(event=event):
                self._entry.unheard -= 1
                if self._containers.hear(event):
                    self._reconcile()
            case ProbeDue():
                if self._prober.due(message):
                    self._reconcile()
            case ProbeAnswered():
                if self._prober.answered(message):
                    self._reconcile()
            case HookEnded():
                if self._containers.hear_hook(message):
                    self._reconcile()
            case _:
                assert_never(message)

    def _see(self) -> None:
        state = self._state
        if len(state.pod["spec"]["containers"]) == len(state.containers):
            self._compare()
            if self._around.runtime.executes:
                self._preparation.settle_volumes()  # whose files may show labels
            self._reconcile()

    def _compare(self) -> None:
        """Note which containers run another image than the spec has by now, and which are new."""
        state = self._state
        spec = state.pod["spec"]
        if spec is self._compared:
            return
        self._compared = spec
        if "ephemeralContainers" in spec:
            self._add_debuggers()
        for container in state.all():
            live = container.is_live and not container.stopping and container.image
            if live and container.role in (Role.MAIN, Role.SIDECAR):
                container.changed = container.image != state.spec(container).get("image")

    def _add_debuggers(self) -> None:
        """Take in ephemeral containers that were added; one that cannot be is over at once."""
        state, around = self._state, self._around
        state.debuggers += debuggers_of(state.pod["spec"], len(state.debuggers))
        for container in state.debuggers:
            if container.phase is not Phase.NEW:
                continue
            found = unsupported_of_debugger(
                state.spec(container),
                container.index,
                executes=around.runtime.executes,
                user=around.user,
            )
            if found:
                text = "; ".join(map(str, found))
                launching.refuse_field(container, text, self.context.clock.now())
                self._events.warn("UnsupportedField", text, container)

    # -- the plan and its execution

    def _reconcile(self) -> None:
        """Decide and act until nothing is left that has come true at once."""
        while True:
            now = self.context.clock.now()
            plan = decide_pod(self._state, now)
            at_once = self._containers.carry_out(plan, now)
            if not (self._prober.adjust(now) or at_once):
                break
        self._wake(plan.wake_at)
        if plan.finished:
            self._finish(now)
            return
        self._report(now)
        if self._is_at_rest():
            self._entry.settled = True
            self._settled(uid_of(self._state.pod))

    def _is_at_rest(self) -> bool:
        """Whether nothing happens by itself, and an actor that takes over would not miss anything.

        It would not know of crash-loop delays, and processes are not asked whether they run.
        """
        state = self._state
        if (
            self._timer is not None
            or self._around.runtime.executes
            or state.unsupported
            or state.waiting
            or state.gone
            or "deletionTimestamp" in state.pod["metadata"]
            or not (self._prober.is_idle and self._containers.is_idle)
        ):
            return False
        if not state.has_live:
            return bool(is_terminal(state.pod) or state.refused or core.is_over(state))
        if state.failed or core.is_over(state):
            return False
        return all(_is_steady(item) for item in state.all())

    def _wake(self, at: float | None) -> None:
        if at == self._waking_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waking_at = at
        if at is not None:
            self._timer = self.context.after(max(0.0, at - self.context.clock.now()), _Woken())

    # -- reports

    def _report(self, now: float) -> None:
        state = self._state
        status = pod_status(state, now)
        stored = state.pod.get("status")
        uid = state.pod["metadata"]["uid"]
        if status["phase"] in ("Succeeded", "Failed") and not state.has_live:
            self._preparation.remove_volumes()  # a pod that is over may stay for long
            self._preparation.release_address()
        if status == stored or (status == state.status and self._around.outbox.is_pending(uid)):
            return
        state.status = self._entry.proposed = status
        metadata = state.pod["metadata"]
        self._around.outbox.put(
            Proposal(uid, metadata["namespace"], metadata["name"], status, stored)
        )

    def _finish(self, now: float) -> None:
        state, around = self._state, self._around
        metadata = state.pod["metadata"]
        uid = metadata["uid"]
        if not state.gone:
            if not state.confirmed:
                self._preparation.remove_volumes()
                state.confirmed = True
                status = pod_status(state, now)
                state.status = status
                around.outbox.put(
                    Proposal(
                        uid,
                        metadata["namespace"],
                        metadata["name"],
                        status,
                        state.pod.get("status"),
                        delete=True,
                    )
                )
            return
        for record in around.runtime.known(uid):
            around.runtime.remove(record.started.id)
        self._preparation.remove()
        self._cleared(uid)


def _is_steady(container: ContainerState) -> bool:
    if container.role is Role.INIT:
        return container.is_done
    if container.role is Role.EPHEMERAL:
        return container.phase in (Phase.RUNNING, Phase.EXITED)
    return container.phase is Phase.RUNNING and not (container.stopping or container.backoff)
