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
from orchestrator.node.ending import is_forced
from orchestrator.node.outbox import Proposal
from orchestrator.node.plans import Plan
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRefused,
    ContainerSpec,
    ContainerStarted,
)
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
from orchestrator.resources.objects import name_of, namespace_of, uid_of

POST_START = "postStart hook"
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
class RuntimeTold:
    """The runtime's news of one of the pod's containers."""

    event: ContainerStarted | ContainerRefused | ContainerExited


Command: TypeAlias = PodSeen | PodRemoved | Reconsider | RuntimeTold


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
        "_state",
        "_timer",
        "_waking_at",
    )

    mailbox_limit: ClassVar[int] = 4096

    def __init__(
        self, around: Surroundings, entry: PodEntry, cleared: Callable[[str], None]
    ) -> None:
        """Prepare.

        Args:
            around: What the node's pods share.
            entry: The newest revision, kept up to date by the node.
            cleared: Called with the uid when nothing of the pod is left.
        """
        self._around = around
        self._entry = entry
        self._cleared = cleared
        self._timer: Timer | None = None
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
        records = around.runtime.known(pod["metadata"]["uid"])
        if records or pod["status"].get("containerStatuses"):
            take_over(state, around, records)
            for container in state.all():
                self._hear_last_words(container)
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
            self._wake(self.context.clock.now() + _ADDRESS_RETRY)

    # -- messages

    def receive(self, message: Command) -> None:
        """Take the news, then do what the pod needs now."""
        self._state.pod = self._entry.latest
        match message:
            case PodSeen():
                self._see()
            case PodRemoved():
                self._state.gone = True
                self._reconcile()
            case Reconsider():
                self._waking_at = None
                self._prepare()
                self._reconcile()
            case RuntimeTold(event=event):
                self._hear(event)
            case _:
                assert_never(message)

    def _see(self) -> None:
        state = self._state
        if len(state.pod["spec"]["containers"]) == len(state.containers):
            self._compare()
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
                self._hear_last_words(container)
            case _:
                return
        self._reconcile()

    def _hear_last_words(self, container: ContainerState) -> None:
        """Let the end of the log be the message of a container that failed, if the pod says so."""
        if container.phase is not Phase.EXITED or not container.exit_code or container.message:
            return
        state = self._state
        spec = state.spec(container)
        if spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            uid = uid_of(state.pod)
            of = ContainerOf(self._around.config.name, uid, container.name, container.attempt)
            container.message = self._around.runtime.last_words(state.pod, of)

    # -- the plan and its execution

    def _reconcile(self) -> None:
        """Decide and act until nothing is left that has come true at once."""
        while True:
            now = self.context.clock.now()
            plan = decide_pod(self._state, now)
            self._again = False
            self._carry_out(plan, now)
            if not self._again:
                break
        if plan.wake_at is not None:
            self._wake(plan.wake_at)
        if plan.finished:
            self._finish(now)
        else:
            self._report(now)

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

    def _wake(self, at: float) -> None:
        if self._waking_at is not None and self._waking_at <= at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._waking_at = at
        self._timer = self.context.after(max(0.0, at - self.context.clock.now()), Reconsider())

    def _stop(self, container: ContainerState, grace: float, now: float) -> None:
        container.stopping = True
        container.stop_by = now + grace
        self._event("Normal", "Killing", self._why_stopped(container), container)

    def _why_stopped(self, container: ContainerState) -> str:
        if container.condemned == POST_START:
            return "FailedPostStartHook"
        why = "definition changed" if container.changed else f"failed {container.condemned}"
        if not container.changed and not container.condemned:
            return f"Stopping container {container.name}"
        if container.role is Role.SIDECAR:
            return f"Init container {container.name} {why}"
        again = container.changed or core.policy_of(self._state.pod) != "Never"
        return f"Container {container.name} {why}{', will be restarted' if again else ''}"

    def _signal(self, container: ContainerState, grace: float, now: float) -> None:
        container.signalled = now + grace
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
                launch = launching.prepare(around, state, container, identity, of)
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
            self._again = bool(state.inits)  # what waits for it may start

    def _advance(self, container: ContainerState) -> None:
        """Make room for the next attempt: what ended becomes the last state."""
        if container.older:
            self._around.runtime.remove(container.older)
        container.older = container.id
        container.last = terminated_record(container, self._state.runtime)
        container.backoff = 0.0 if container.changed else restarting.next_backoff(container)
        container.backoff_at = self.context.clock.now()
        container.held = container.stopping = container.hooking = False
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
        if self._around.config.events:
            pod = self._state.pod
            launching.tell_started(self._around, pod, container.name, container.role)

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
        if around.credentials is not None and around.runtime.executes:
            around.credentials.remove(uid)
        self._cleared(uid)

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
