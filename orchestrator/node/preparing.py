"""What a pod needs before its first container, and keeps: a part of its actor."""

from __future__ import annotations

from typing import Any

from actors import Context, Timer
from orchestrator.node.addresses import AddressesExhaustedError
from orchestrator.node.admission import is_terminal
from orchestrator.node.events import PodEvents
from orchestrator.node.states import PodState
from orchestrator.node.surroundings import Surroundings
from orchestrator.node.volumes.pods import PodVolumes
from orchestrator.records import dataclass

_ADDRESS_RETRY = 10.0
"""Seconds until a pod without an address asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationDue:
    """What was missing may be there by now, or a token has to be renewed."""


class Preparation:
    """Gets a pod an address and volumes; without them ``state.waiting`` says why.

    The place for whatever else containers have to wait for.

    Attributes:
        volumes: The pod's.
    """

    __slots__ = ("_around", "_context", "_events", "_state", "_timer", "volumes")

    def __init__(
        self, context: Context[Any], around: Surroundings, state: PodState, events: PodEvents
    ) -> None:
        """Prepare.

        Args:
            context: The actor's, for the timer.
            around: What the node's pods share.
            state: The pod, taken over.
            events: The pod's.
        """
        self._context = context
        self._around = around
        self._state = state
        self._events = events
        self._timer: Timer | None = None
        begun = any(container.id for container in state.all())
        self.volumes = PodVolumes(around, state.pod, events.tell, begun=begun)

    def settle(self, known: str = "") -> None:
        """Get what is missing; to be called at first and whenever something may have changed.

        Args:
            known: The address of what runs of the pod, or ``""``.
        """
        if not self._state.address:
            self._settle_address(known)
        self.settle_volumes()

    def settle_volumes(self) -> None:
        """Set up what containers will mount, or renew what they have mounted."""
        state = self._state
        if (
            not state.address
            or state.unsupported
            or state.gone
            or "deletionTimestamp" in state.pod["metadata"]
            or is_terminal(state.pod)
        ):
            return
        now = self._context.clock.now()
        self.volumes.settle(state.pod, state.address, now)
        state.waiting = None if self.volumes.ready else ("ContainerCreating", "")
        again_at = self.volumes.again_at
        self._set_timer(None if again_at is None else max(0.0, again_at - now))

    def _settle_address(self, known: str) -> None:
        """Keep the address the pod has, or take one."""
        state, pool = self._state, self._around.pool
        state.address = known or state.pod["status"].get("podIP") or ""
        if state.address:
            if state.has_live or not is_terminal(state.pod):
                pool.claim(state.address, state.pod["metadata"]["uid"])
            return
        if is_terminal(state.pod) or state.unsupported or state.refused:
            return
        try:
            now = self._context.clock.monotonic()
            state.address = pool.take(now, state.pod["metadata"]["uid"])
            state.waiting = None
        except AddressesExhaustedError as error:
            if state.waiting is None:
                self._events.warn(
                    "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}"
                )
            state.waiting = ("ContainerCreating", str(error))
            self._set_timer(_ADDRESS_RETRY)

    def _set_timer(self, delay: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay is None else self._context.after(delay, PreparationDue())

    def release_address(self) -> None:
        """Let others have the address of a pod of which nothing runs any more; its status keeps it.

        Else the ended pods of a long Job, which stay, would leave none for the next ones.
        """
        uid = self._state.pod["metadata"]["uid"]
        self._around.pool.release(self._state.address, self._context.clock.monotonic(), uid)

    def remove_volumes(self) -> None:
        """Take down the volumes of a pod of which nothing runs any more."""
        around, uid = self._around, self._state.pod["metadata"]["uid"]
        around.followers.leave(uid)
        self._set_timer(None)
        if around.volumes is not None and around.runtime.executes:
            try:
                around.volumes.remove(uid)
            except OSError as error:
                self._context.log.warning("volumes not removed", pod=uid, error=str(error))

    def remove(self) -> None:
        """Give everything back."""
        around, state = self._around, self._state
        self.release_address()
        around.unconfigured.discard(state.pod["metadata"]["uid"])
        self.remove_volumes()
