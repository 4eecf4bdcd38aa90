"""A pod's containers: what was decided is done, what became of them is noted; part of its actor."""

from __future__ import annotations

from typing import Any

from actors import Context
from orchestrator.node import core, launching, pulling, restarting
from orchestrator.node.ending import has_hook, is_forced
from orchestrator.node.events import PodEvents
from orchestrator.node.hooks import POST_START, PRE_STOP, HookEnded, Hooks
from orchestrator.node.images import words_of
from orchestrator.node.plans import Plan
from orchestrator.node.prober import Prober
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerRefused,
    ContainerStarted,
    ContainerTurned,
    RuntimeEvent,
)
from orchestrator.node.scripts import message_of
from orchestrator.node.states import ContainerState, Phase, PodState, Role
from orchestrator.node.statuses import terminated_record
from orchestrator.node.surroundings import PodEntry, Surroundings
from orchestrator.node.volumes.pods import PodVolumes
from orchestrator.resources.objects import Object, name_of, namespace_of, uid_of

_NOT_STARTED = "postStart hook"
"""Why a container is condemned whose ``postStart`` hook failed."""


class Containers:
    """Starts, stops and hears of a pod's containers."""

    __slots__ = (
        "_again",
        "_around",
        "_context",
        "_entry",
        "_events",
        "_hooks",
        "_prober",
        "_state",
        "_volumes",
    )

    def __init__(
        self,
        context: Context[Any],
        around: Surroundings,
        entry: PodEntry,
        state: PodState,
        events: PodEvents,
        prober: Prober,
        volumes: PodVolumes,
    ) -> None:
        """Prepare.

        Args:
            context: The actor's.
            around: What the node's pods share.
            entry: Remembers which hooks have begun.
            state: The pod.
            events: The pod's.
            prober: Its probes.
            volumes: Its volumes.
        """
        self._context = context
        self._around = around
        self._entry = entry
        self._state = state
        self._events = events
        self._prober = prober
        self._volumes = volumes
        self._hooks = Hooks(context, around, state)
        self._again = False

    @property
    def is_idle(self) -> bool:
        """Whether no hook runs."""
        return self._hooks.is_idle

    def carry_out(self, plan: Plan, now: float) -> bool:
        """Do what was decided; tell whether something came true at once."""
        self._again = False
        if plan.fail is not None:
            self._state.failed = plan.fail
            self._events.tell("Normal", *plan.fail)
        for container, grace in plan.stop:
            self._stop(container, grace, now)
        for container, grace in plan.signal:
            self._signal(container, grace, now)
        for container in plan.start:
            self._start(container)
        for container in plan.hold:
            self._hold(container)
        return self._again

    def _stop(self, container: ContainerState, grace: float, now: float) -> None:
        container.stopping = True
        container.stop_by = now + grace
        self._events.tell("Normal", "Killing", self._why_stopped(container), container)
        if grace > 0 and has_hook(self._state, container):
            container.hooked = container.hooking = True
            self._entry.hooked = tuple(item.id for item in self._state.all() if item.hooked)
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

    def hear_hook(self, ended: HookEnded) -> bool:
        """Note a hook's end; tell whether somebody waited for it."""
        if not self._hooks.ended(ended):
            return False
        self._note_hook(ended)
        return True

    def _note_hook(self, ended: HookEnded) -> None:
        """Take note of a hook's end. What it said is not told: it may be a secret."""
        container = next((item for item in self._state.all() if item.id == ended.id), None)
        if container is None:
            return
        if ended.hook == PRE_STOP:
            container.hooking = False
            if ended.error:
                self._events.warn("FailedPreStopHook", "PreStopHook failed", container)
        elif container.phase is Phase.HOOKED:
            if ended.error:
                self._events.warn("FailedPostStartHook", "PostStartHook failed", container)
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
        try:
            if around.runtime.executes:
                launch = launching.prepare(around, state, self._volumes, container, identity, of)
            elif not self._pull(container, spec):
                return
            else:
                launch = launching.simulate(around, state, container, identity, of)
        except launching.WaitingError as error:
            self._wait(container, error)
            return
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

    def _pull(self, container: ContainerState, spec: Object) -> bool:
        """Get the image, if there is anything to it; False: the container waits for it."""
        image = self._around.runtime.declared(spec)
        now = self._context.clock.now()
        pull = pulling.decide_pull(container, spec, image.pull_error if image else "", now)
        if pull is None:
            container.pull = None
            return True
        for kind, reason, message in pull.events:
            (self._events.warn if kind == "Warning" else self._note)(reason, message, container)
        if container.phase is Phase.EXITED:
            self._advance(container)
            container.attempt += 1
            container.id = ""
            container.phase = Phase.NEW
        container.pull = pull.state
        container.reason, container.message = pull.reason, pull.message
        self._again = True  # which names the time of the next look
        return False

    def _note(self, reason: str, message: str, container: ContainerState) -> None:
        self._events.tell("Normal", reason, message, container)

    def _advance(self, container: ContainerState) -> None:
        """Make room for the next attempt: what ended becomes the last state."""
        if container.older:
            self._around.runtime.remove(container.older)
        container.older = container.id
        container.last = terminated_record(container, self._state.runtime)
        container.backoff = 0.0 if container.changed else restarting.next_backoff(container)
        container.backoff_at = self._context.clock.now()
        container.ended_before = container.finished_at
        container.held = container.stopping = container.hooking = container.hooked = False
        container.condemned = ""
        container.signalled = None

    def _wait(self, container: ContainerState, error: launching.WaitingError) -> None:
        self._around.unconfigured.add(uid_of(self._state.pod))
        if (container.reason, container.message) != (error.reason, error.message):
            self._events.warn("Failed", f"Error: {error.message}", container)
        if container.phase is Phase.EXITED:
            self._advance(container)
            container.attempt += 1
            container.id = ""
            container.phase = Phase.NEW
        container.reason, container.message = error.reason, error.message

    def _running(self, container: ContainerState, event: ContainerStarted) -> None:
        container.phase = Phase.RUNNING
        container.started_at = event.started_at
        container.exit_code = 0
        self._prober.begin(container)
        if self._around.config.events:
            pod = self._state.pod
            launching.tell_started(self._around, pod, container.name, container.role)
        if core.has_post_start(self._state.spec(container)):
            container.phase = Phase.HOOKED
            self._begin_hook(container, POST_START)

    def _refused(self, container: ContainerState, message: str) -> None:
        launching.refuse(container, message, self._context.clock.now())
        self._events.warn("Failed", f"Error: {message}", container)

    def _hold(self, container: ContainerState) -> None:
        if container.held:
            return
        container.held = True
        pod = self._state.pod
        whose = f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
        text = f"Back-off restarting failed container {container.name} in pod {whose}"
        self._events.warn("BackOff", text, container)

    def hear(self, event: RuntimeEvent) -> bool:
        """Note the runtime's news; tell whether they are any."""
        for container in self._state.all():
            if container.id == event.id:
                break
        else:
            # Of an attempt that was given up, or that this actor's predecessor began.
            if isinstance(event, ContainerExited):
                self._around.runtime.remove(event.id)
            elif isinstance(event, ContainerStarted):
                self._around.runtime.stop(event.id, 0)
            return False
        match event:
            case ContainerStarted() if container.phase is Phase.STARTING:
                self._running(container, event)
            case ContainerRefused() if container.phase is Phase.STARTING:
                self._refused(container, event.message)
            case ContainerExited() if container.is_live:
                launching.end(container, event)
                self._hooks.cancel(container)
                self.hear_last_words(container)
            case ContainerTurned():
                return True  # its probes look for themselves
            case _:
                return False
        return True

    def hear_last_words(self, container: ContainerState) -> None:
        """Take a container's termination message; the end of its log, if it failed and may."""
        if container.phase is not Phase.EXITED or container.message:
            return
        state, runtime = self._state, self._around.runtime
        spec = state.spec(container)
        if runtime.executes:
            container.message = runtime.termination_message(container.id)
        else:
            said = runtime.termination_message(container.id)
            container.message = said or message_of(
                state.pod, spec, words_of(runtime.declared(spec))
            )
        by_log = spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        if by_log and container.exit_code and not container.message:
            uid = uid_of(state.pod)
            of = ContainerOf(self._around.config.name, uid, container.name, container.attempt)
            container.message = runtime.last_words(state.pod, of)
