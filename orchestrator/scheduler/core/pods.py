"""A pod that has, or is to have, a place: on a node, assumed, or nominated."""

from __future__ import annotations

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.classes import PodClass


class PodState:
    """A pod as the scheduler counts it; what is common to its class stands there.

    Attributes:
        uid: Its identity; a new pod under the same name is another one.
        key: Its resource, namespace and name.
        pod_class: What scheduling looks at.
        priority: ``spec.priority``; pods of a higher one may take its place.
        start: ``status.startTime`` in seconds since the epoch; None before it runs. Preemption
            spares the pods that have run for long.
        terminating: Its deletion has been asked for. It takes room until it is gone, but no
            longer counts for topology spread.
        preempted: It is (to be) removed to make room for a pod of higher priority.
        node: The name of the node it counts on; empty while it counts on none.
        preempts: Whether its policy lets it preempt others (not ``Never``).
    """

    __slots__ = (
        "key", "node", "pod_class", "preempted", "preempts", "priority", "start", "terminating",
        "uid",
    )  # fmt: skip

    def __init__(
        self,
        uid: str,
        key: Key,
        pod_class: PodClass,
        *,
        priority: int = 0,
        start: float | None = None,
        terminating: bool = False,
        preempted: bool = False,
        preempts: bool = True,
    ) -> None:
        self.uid = uid
        self.key = key
        self.pod_class = pod_class
        self.priority = priority
        self.start = start
        self.terminating = terminating
        self.preempted = preempted
        self.preempts = preempts
        self.node = ""
