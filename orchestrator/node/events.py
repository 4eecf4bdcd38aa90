"""Events of one pod and of its containers."""

from __future__ import annotations

from typing import Literal

from orchestrator.node.states import ContainerState, PodState, specs_of
from orchestrator.node.surroundings import Surroundings


class PodEvents:
    """Records Events on a pod in its node's name."""

    __slots__ = ("_around", "_state")

    def __init__(self, around: Surroundings, state: PodState) -> None:
        """Prepare."""
        self._around = around
        self._state = state

    def tell(
        self,
        kind: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        container: ContainerState | None = None,
    ) -> None:
        """Record an Event on the pod, or on one of its containers."""
        self._around.recorder.event(
            self._state.pod,
            kind,
            reason,
            message,
            field_path=f"spec.{specs_of(container.role)}{{{container.name}}}" if container else "",
            instance=self._around.config.name,
        )

    def warn(self, reason: str, message: str, container: ContainerState | None = None) -> None:
        """Record a warning."""
        self.tell("Warning", reason, message, container)
