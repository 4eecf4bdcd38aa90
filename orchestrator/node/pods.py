"""The pod actor: one pod's containers, from being bound to the node to being gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, assert_never

from actors import Actor, Timer
from orchestrator.node import core, launching, restarting
from orchestrator.node.addresses import AddressesExhaustedError
from orchestrator.node.adopting import take_over
from orchestrator.node.core import decide_pod
from orchestrator.node.ending import has_hook, is_forced
from orchestrator.node.hooks import POST_START, PRE_STOP, HookEnded, Hooks
from orchestrator.node.outbox import Proposal
from orchestrator.node.plans import Plan
from orchestrator.node.prober import ProbeAnswered, ProbeDue, Prober
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRefused,
    ContainerSpec,
    ContainerStarted,
)
from orchestrator.node.scripts import message_of
from orchestrator.node.states import (
    ContainerState,
    Phase,
    PodState,
    Role,
    containers_of,
    inits_of,
    specs_of,
)
from orchestrator.node.statuses import pod_status, terminated_record
from orchestrator.node.support import limits_of, unsupported_debugger
from orchestrator.node.surroundings import PodEntry, Surroundings
from orchestrator.node.volumes.pods import PodVolumes
from orchestrator.resources.objects import name_of, namespace_of, uid_of

_NOT_STARTED = "postStart hook"
"""Why a container is condemned whose ``postStart`` hook failed."""
_ADDRESS_RETRY = 10.0
"""Seconds until a pod without an address asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """The store has a new revision of the pod; it is the entry's ``latest``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRemoved:
    """The store no longer has the pod: end it at once and clean up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconsider:
    """Something the pod waits for may have come true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Woken:
    """The time has come that the last decision named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _VolumesDue:
    """A token has to be renewed, or the machine may have by now what it lacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeTold:
    """The runtime's news of one of the pod's containers."""

    event: ContainerStarted | ContainerRefused | ContainerExited


Command: TypeAlias = (
    PodSeen
    | PodRemoved
    | Reconsider
    | RuntimeTold
    | _Woken
    | _VolumesDue
    | ProbeDue
    | ProbeAnswered
    | HookEnded
)


class PodActor(Actor[Command]):
    """Runs one pod. A full mailbox refuses; a node sends a few messages for each change at most.

    Restarted after a failure, it rebuilds itself from the pod and the runtime's records.
    """

    __slots__ = (
        "_again",
        "_around",
        "_cleared",
        "_compared",
        "_debuggers",
        "_entry",
        "_hooks",
        "_prober",
        "_settled",
        "_state",
        "_timer",
        "_volumes",
        "_volumes_timer",
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
        self._volumes_timer: Timer | None = None
        self._waking_at: float | None = None
        self._compared: object = None
        self._debuggers = 0
        self._again = False

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
            host=around.config.address,
            runtime=around.runtime.name,
            started_at=now,
            unsupported=launching.unsupported_of(pod, around.runtime.executes, around.user),
            status=self._entry.proposed,
            gone=self._entry.removed,
        )
        self._prober = Prober(self.context, around, state, self._warn)
        self._hooks = Hooks(self.context, around, state)
        records = around.runtime.known(pod["metadata"]["uid"])
        if records or pod["status"].get("containerStatuses"):
            take_over(state, around, records, self._prober.begin)
            self._debuggers = len(pod["status"].get("ephemeralContainerStatuses") or ())
            for container in state.all():
                container.hooked = container.id in self._entry.hooked
                self._hear_last_words(container)
        begun = any(container.id for container in state.all())
        self._volumes = PodVolumes(around, pod, self._event, begun=begun)
        if state.unsupported:
            for item in state.unsupported:
                self._event("Warning", "UnsupportedField", str(item))
        elif around.runtime.executes and not records:
            for path in limits_of(pod):
                text = f"{path}: limits count for scheduling but are not enforced on processes"
                self._event("Warning", "LimitsNotEnforced", text)
        self._prepare(records[0].address if records else "")
        self._compare()
        self._reconcile()

    def _prepare(self, known: str = "") -> None:
        """Get what a pod needs before its first container; without it ``state.waiting`` says why.

        Called at first and whenever the pod is reconsidered, until nothing is missing. This is
        the place for whatever else containers have to wait for.
        """
        if not self._state.address:
            self._settle_address(known)
        self._settle_volumes()

    def _settle_volumes(self) -> None:
        """Set up what containers will mount, or renew what they have mounted."""
        state = self._state
        if (
            not state.address
            or state.unsupported
            or state.gone
            or "deletionTimestamp" in state.pod["metadata"]
            or core.is_terminal(state.pod)
        ):
            return
        if self._volumes_timer is not None:
            self._volumes_timer.cancel()
            self._volumes_timer = None
        now = self.context.clock.now()
        self._volumes.settle(state.pod, state.address, now)
        state.waiting = None if self._volumes.ready else ("ContainerCreating", "")
        if self._volumes.again_at is not None:
            delay = max(0.0, self._volumes.again_at - now)
            self._volumes_timer = self.context.after(delay, _VolumesDue())

    def _settle_address(self, known: str) -> None:
        """Keep the address the pod has, or take one."""
        state, pool = self._state, self._around.pool
        state.address = known or state.pod["status"].get("podIP") or ""
        if state.address:
            pool.claim(state.address)
            return
        if core.is_terminal(state.pod) or state.unsupported:
            return
        try:
            state.address = pool.take(self.context.clock.monotonic())
            state.waiting = None
        except AddressesExhaustedError as error:
            if state.waiting is None:
                text = f"Failed to create pod sandbox: {error}"
                self._event("Warning", "FailedCreatePodSandBox", text)
            state.waiting = ("ContainerCreating", str(error))
            self.context.after(_ADDRESS_RETRY, _Woken())

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
                self._prepare()
                self._reconcile()
            case _Woken():
                self._waking_at = self._timer = None
                self._prepare()
                self._reconcile()
            case _VolumesDue():
                self._volumes_timer = None
                self._prepare()
                self._reconcile()
            case RuntimeTold(event=event):
                self._entry.unheard -= 1
                self._hear(event)
            case ProbeDue():
                if self._prober.due(message):
                    self._reconcile()
            case ProbeAnswered():
                if self._prober.answered(message):
                    self._reconcile()
            case HookEnded():
                if self._hooks.ended(message):
                    self._note_hook(message)
                    self._reconcile()
            case _:
                assert_never(message)

    def _see(self) -> None:
        state = self._state
        if len(state.pod["spec"]["containers"]) == len(state.containers):
            self._compare()
            if self._around.runtime.executes:
                self._settle_volumes()  # whose files may show labels
            self._reconcile()

    def _compare(self) -> None:
        """Note which containers run another image than the spec has by now, and which are new."""
        state = self._state
        spec = state.pod["spec"]
        if "ephemeralContainers" in spec:
            self._refuse_debuggers(len(spec["ephemeralContainers"]))
        if spec is self._compared:
            return
        self._compared = spec
        for container in state.all():
            live = container.is_live and not container.stopping and container.image
            if live and container.role is not Role.INIT:
                container.changed = container.image != state.spec(container).get("image")

    def _refuse_debuggers(self, given: int) -> None:
        for index in range(self._debuggers, given):
            self._event("Warning", "UnsupportedField", str(unsupported_debugger(index)))
        self._debuggers = max(self._debuggers, given)

    def _hear(self, event: ContainerStarted | ContainerRefused | ContainerExited) -> None:
        for container in self._state.all():
            if container.id == event.id:
                break
        else:
            # Of an attempt that was given up, or that this actor's predecessor began.
            if isinstance(event, ContainerExited):
                self._around.runtime.remove(event.id)
            elif isinstance(event, ContainerStarted):
                self._around.runtime.stop(event.id, 0)
            return
        match event:
            case ContainerStarted() if container.phase is Phase.STARTING:
                self._running(container, event)
            case ContainerRefused() if container.phase is Phase.STARTING:
                self._refused(container, event.message)
            case ContainerExited() if container.is_live:
                launching.end(container, event)
                self._hooks.cancel(container)
                self._hear_last_words(container)
            case _:
                return
        self._reconcile()

    def _hear_last_words(self, container: ContainerState) -> None:
        """Take a container's termination message; the end of its log, if it failed and may."""
        if container.phase is not Phase.EXITED or container.message:
            return
        state, runtime = self._state, self._around.runtime
        spec = state.spec(container)
        if runtime.executes:
            container.message = runtime.termination_message(container.id)
        else:
            container.message = message_of(state.pod, spec)
        by_log = spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        if by_log and container.exit_code and not container.message:
            uid = uid_of(state.pod)
            of = ContainerOf(self._around.config.name, uid, container.name, container.attempt)
            container.message = runtime.last_words(state.pod, of)

    # -- the plan and its execution

    def _reconcile(self) -> None:
        """Decide and act until nothing is left that has come true at once."""
        while True:
            now = self.context.clock.now()
            plan = decide_pod(self._state, now)
            self._again = False
            self._carry_out(plan, now)
            if self._prober.adjust(now):
                self._again = True
            if not self._again:
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
            or not (self._prober.is_idle and self._hooks.is_idle)
        ):
            return False
        if not state.has_live:
            return core.is_terminal(state.pod) or core.is_over(state)
        if state.failed or core.is_over(state):
            return False
        return all(_is_steady(item) for item in state.all())

    def _carry_out(self, plan: Plan, now: float) -> None:
        if plan.fail is not None:
            self._state.failed = plan.fail
            self._event("Normal", *plan.fail)
        for container, grace in plan.stop:
            self._stop(container, grace, now)
        for container, grace in plan.signal:
            self._signal(container, grace, now)
        for container in plan.start:
            self._start(container)
        for container in plan.hold:
            self._hold(container)

    def _wake(self, at: float | None) -> None:
        if at == self._waking_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waking_at = at
        if at is not None:
            self._timer = self.context.after(max(0.0, at - self.context.clock.now()), _Woken())

    def _stop(self, container: ContainerState, grace: float, now: float) -> None:
        container.stopping = True
        container.stop_by = now + grace
        self._event("Normal", "Killing", self._why_stopped(container), container)
        if grace > 0 and has_hook(self._state, container):
            container.hooked = container.hooking = True
            self._entry.hooked += (container.id,)
            self._begin_hook(container, PRE_STOP)
        else:
            self._hooks.cancel(container)

    def _why_stopped(self, container: ContainerState) -> str:
        if container.condemned == _NOT_STARTED:
            return "FailedPostStartHook"
        why = "definition changed" if container.changed else f"failed {container.condemned}"
        if not container.changed and not container.condemned:
            return f"Stopping container {container.name}"
        if container.role is Role.SIDECAR:
            return f"Init container {container.name} {why}"
        again = container.changed or core.policy_of(self._state.pod) != "Never"
        return f"Container {container.name} {why}{', will be restarted' if again else ''}"

    def _begin_hook(self, container: ContainerState, hook: str) -> None:
        at_once = self._hooks.start(container, hook)
        if at_once is not None:
            self._note_hook(at_once)
            self._again = True

    def _note_hook(self, ended: HookEnded) -> None:
        """Take note of a hook's end. What it said is not told: it may be a secret."""
        container = next((item for item in self._state.all() if item.id == ended.id), None)
        if container is None:
            return
        if ended.hook == PRE_STOP:
            container.hooking = False
            if ended.error:
                self._warn("FailedPreStopHook", "PreStopHook failed", container)
        elif container.phase is Phase.HOOKED:
            if ended.error:
                self._warn("FailedPostStartHook", "PostStartHook failed", container)
                container.condemned = _NOT_STARTED
            else:
                container.phase = Phase.RUNNING

    def _signal(self, container: ContainerState, grace: float, now: float) -> None:
        container.signalled = now + grace
        container.hooking = False
        self._hooks.cancel(container)
        if is_forced(self._state) and not container.stopping:
            self._stop(container, grace, now)
        self._around.runtime.stop(container.id, grace)
        if container.phase is Phase.STARTING and not self._around.runtime.executes:
            launching.give_up(container, now)
            self._again = True  # it has ended at once, and nobody will tell

    def _start(self, container: ContainerState) -> None:
        around, state = self._around, self._state
        spec = state.spec(container)
        uid = state.pod["metadata"]["uid"]
        again = container.phase is Phase.EXITED
        attempt = container.attempt + 1 if again else container.attempt
        of = ContainerOf(around.config.name, uid, container.name, attempt)
        identity = around.runtime.identify()
        if around.runtime.executes:
            try:
                launch = launching.prepare(around, state, self._volumes, container, identity, of)
            except launching.WaitingError as error:
                self._wait(container, error)
                return
        else:
            init = container.role is Role.INIT
            launch = ContainerSpec(identity, of, state.pod, spec, state.address, init=init)
        if again:
            self._advance(container)
        container.id = identity
        container.attempt = attempt
        container.image = spec.get("image") or ""
        container.changed = False
        container.phase = Phase.STARTING
        container.reason = container.message = ""
        started = around.runtime.start(launch)
        if started is not None:
            self._running(container, started)
            self._again = True  # what waits for it may start

    def _advance(self, container: ContainerState) -> None:
        """Make room for the next attempt: what ended becomes the last state."""
        if container.older:
            self._around.runtime.remove(container.older)
        container.older = container.id
        container.last = terminated_record(container, self._state.runtime)
        container.backoff = 0.0 if container.changed else restarting.next_backoff(container)
        container.backoff_at = self.context.clock.now()
        container.ended_before = container.finished_at
        container.held = container.stopping = container.hooking = container.hooked = False
        container.condemned = ""
        container.signalled = None

    def _wait(self, container: ContainerState, error: launching.WaitingError) -> None:
        self._around.unconfigured.add(uid_of(self._state.pod))
        if (container.reason, container.message) != (error.reason, error.message):
            self._event("Warning", "Failed", f"Error: {error.message}", container)
        if container.phase is Phase.EXITED:
            self._advance(container)
            container.attempt += 1
            container.id = ""
            container.phase = Phase.NEW
        container.reason, container.message = error.reason, error.message

    def _running(self, container: ContainerState, event: ContainerStarted) -> None:
        container.phase = Phase.RUNNING
        container.started_at = event.started_at
        container.exit_code = container.signal = 0
        self._prober.begin(container)
        if self._around.config.events:
            pod = self._state.pod
            launching.tell_started(self._around, pod, container.name, container.role)
        if core.has_post_start(self._state.spec(container)):
            container.phase = Phase.HOOKED
            self._begin_hook(container, POST_START)

    def _refused(self, container: ContainerState, message: str) -> None:
        launching.refuse(container, message, self.context.clock.now())
        self._event("Warning", "Failed", f"Error: {message}", container)

    def _hold(self, container: ContainerState) -> None:
        if container.held:
            return
        container.held = True
        pod = self._state.pod
        whose = f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
        text = f"Back-off restarting failed container {container.name} in pod {whose}"
        self._event("Warning", "BackOff", text, container)

    # -- reports

    def _report(self, now: float) -> None:
        state = self._state
        status = pod_status(state, now)
        stored = state.pod.get("status")
        uid = state.pod["metadata"]["uid"]
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
                self._remove_volumes(uid)
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
        if state.address:
            around.pool.release(state.address, self.context.clock.monotonic())
        around.unconfigured.discard(uid)
        self._remove_volumes(uid)
        self._cleared(uid)

    def _remove_volumes(self, uid: str) -> None:
        around = self._around
        around.following.discard(uid)
        if self._volumes_timer is not None:
            self._volumes_timer.cancel()
            self._volumes_timer = None
        if around.volumes is not None and around.runtime.executes:
            try:
                around.volumes.remove(uid)
            except OSError as error:
                self.context.log.warning("volumes not removed", pod=uid, error=str(error))

    def _warn(self, reason: str, message: str, container: ContainerState) -> None:
        self._event("Warning", reason, message, container)

    def _event(
        self,
        kind: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        container: ContainerState | None = None,
    ) -> None:
        self._around.recorder.event(
            self._state.pod,
            kind,
            reason,
            message,
            field_path=f"spec.{specs_of(container.role)}{{{container.name}}}" if container else "",
            instance=self._around.config.name,
        )


def _is_steady(container: ContainerState) -> bool:
    if container.role is Role.INIT:
        return container.is_done
    return container.phase is Phase.RUNNING and not (container.stopping or container.backoff)
