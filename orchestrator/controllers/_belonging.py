"""Whose a pod is: what its controller learns from each of its events."""

from __future__ import annotations

from typing import Any

from orchestrator.controllers._owners import controller_uid
from orchestrator.store import ObjectEvent


class Belonging:
    """Reads events of pods in the order of the log, for a controller that has some of them.

    Attributes:
        controller: The uid of the last pod's controller, or None.
        moved: Whether the last pod had other owners before.
        former: If so, the uid of the controller that it had then, or None.
    """

    __slots__ = ("_references", "controller", "former", "moved")

    def __init__(self) -> None:
        self.controller: str | None = None
        self.former: str | None = None
        self.moved = False
        self._references: Any = None

    def see(self, event: ObjectEvent) -> bool:
        """Take in an event of a pod; tell whether anything changed that a controller counts.

        Where it did not, since the pod was only bound or annotated, the attributes are as before.
        """
        pod, previous = event.object, event.previous
        metadata = pod["metadata"]
        references = metadata.get("ownerReferences")
        moved = False
        if previous is not None:
            earlier = previous["metadata"]
            before = earlier.get("ownerReferences")
            if (
                event.type == "MODIFIED"
                and before is references
                and previous.get("status") is pod.get("status")
                and earlier.get("labels") is metadata.get("labels")
                and earlier.get("finalizers") is metadata.get("finalizers")
                and ("deletionTimestamp" in earlier) == ("deletionTimestamp" in metadata)
            ):
                return False
            if before is not references and before != references:
                moved = True
                self.former = controller_uid(previous)
        self.moved = moved
        if references is not self._references:
            # Pods of one owner share their references: one look is enough for a burst.
            self._references, self.controller = references, controller_uid(pod)
        return True
