"""``postStart`` and ``preStop`` hooks of one pod at work: a part of its actor.

https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
"""

from __future__ import annotations

from typing import Any

from actors import Context, Job, Timer
from orchestrator.node.images import words_of
from orchestrator.node.scripts import hook_of, is_hook_scripted
from orchestrator.node.states import ContainerState, PodState
from orchestrator.node.surroundings import Surroundings
from orchestrator.records import dataclass

POST_START = "postStart"
PRE_STOP = "preStop"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookEnded:
    """A hook is over.

    Attributes:
        id: The attempt's whose hook it is.
        hook: ``postStart`` or ``preStop``.
        error: Why it failed, or ``""``.
    """

    id: str
    hook: str
    error: str = ""


class Hooks:
    """Runs a pod's hooks; at most one of a container at a time."""

    __slots__ = ("_around", "_context", "_running", "_state")

    def __init__(self, context: Context[Any], around: Surroundings, state: PodState) -> None:
        """Prepare."""
        self._context = context
        self._around = around
        self._state = state
        self._running: dict[str, Job | Timer] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no hook runs."""
        return not self._running

    def start(self, container: ContainerState, hook: str) -> HookEnded | None:
        """Begin a hook; returns its end when it is over at once, else that comes as a message."""
        self.cancel(container)
        spec = self._state.spec(container)
        action, identity = spec["lifecycle"][hook], container.id
        runtime, pod = self._around.runtime, self._state.pod
        # Functions answer commands; whoever answers requests is asked by probes only.
        asked = "exec" in action and runtime.answers(identity, action)
        if not (runtime.executes or (asked and not is_hook_scripted(pod, spec, hook))):
            words = words_of(runtime.declared(spec))
            seconds, error = hook_of(pod, spec, hook, words)
            ended = HookEnded(id=identity, hook=hook, error=error)
            if seconds <= 0:
                return ended
            self._running[identity] = self._context.after(seconds, ended)
        elif pause := action.get("sleep"):
            ended = HookEnded(id=identity, hook=hook)
            self._running[identity] = self._context.after(float(pause["seconds"]), ended)
        else:
            # Simulated clusters, and pods without hooks, do without it and what it imports.
            from orchestrator.node.handlers import run_hook

            self._running[identity] = self._context.run(
                run_hook(self._around.runtime, self._state, container, action, self._context.clock),
                done=lambda _: HookEnded(id=identity, hook=hook),
                failed=lambda error: HookEnded(
                    id=identity, hook=hook, error=str(error) or type(error).__name__
                ),
            )
        return None

    def ended(self, message: HookEnded) -> bool:
        """Take note of an end; False when nobody waits for it any more."""
        return self._running.pop(message.id, None) is not None

    def cancel(self, container: ContainerState) -> None:
        """Give up a container's hook, if one runs."""
        running = self._running.pop(container.id, None)
        if running is not None:
            running.cancel()
