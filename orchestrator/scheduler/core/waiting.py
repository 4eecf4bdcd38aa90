"""A pod without a node, and what is remembered of the attempts to find it one."""

from __future__ import annotations

from typing import Literal, TypeAlias

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.changes import Hint, Registration
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.pods import PodState

Place: TypeAlias = Literal["", "active", "backoff", "unschedulable", "gated", "taken", "gone"]
"""Where a pod is: in one of upstream's queues, with the scheduler, or neither.

Empty before the queue has it. ``gone`` is final.
"""

NOBODY: frozenset[str] = frozenset()
"""The plugins that reject a pod whose attempt ended in an error."""


GroupKey: TypeAlias = tuple[PodClass, int, bool, frozenset[str], frozenset[str]]
"""Class, priority, whether it preempts, who rejected it, who of them only wants it to wait."""


class Attempts:
    """What is remembered of a pod that was tried in vain.

    Attributes:
        count: How often it was tried.
        rejections: How often some plugin rejected it.
        errors: How often in a row it failed without being rejected.
        message: What the last rejection said.
        plugins: Who rejected it last; empty after an error.
        pending: Those of them that only want it to wait: when one of these thinks that an event
            helps, there is no backoff.
        nominated: It waits for pods that leave a node for it, and does not preempt others.
        scout: The group that it was woken from while others stayed: those rely on its being tried.
        ended: When the last attempt ended, in seconds of the caller's clock.
        due: Until when it backs off, while it does.
    """

    __slots__ = (
        "count", "due", "ended", "errors", "message", "nominated", "pending", "plugins",
        "rejections", "scout",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = 0
        self.rejections = 0
        self.errors = 0
        self.message = ""
        self.plugins = NOBODY
        self.pending = NOBODY
        self.nominated = False
        self.scout: GroupKey | None = None
        self.ended = 0.0
        self.due = 0.0


Question: TypeAlias = tuple[int, Hint | None, bool]
"""Which events a plugin is asked about, as a number; its hint; whether it wants only to wait."""


class Group:
    """Pods of one class and priority that were rejected by the same plugins.

    What helps one of them helps all, and what does not help one helps none.

    Attributes:
        key: What they have in common.
        pod_class: Their class.
        priority: Their priority.
        preempts: Whether they may take the place of pods of lower priority.
        pending: Those of the plugins that only want them to wait.
        plugins: Who rejected them, and who would have where a node was looked at since.
        pods: By uid, in their order.
        anywhere: Whom of ``plugins`` to ask about an event that may help on any node.
        there: Whom to ask about one that helps on the node that it is about.
        events: The events that any of them wants to hear of, as a number.
    """

    __slots__ = (
        "anywhere", "events", "key", "pending", "plugins", "pod_class", "pods", "preempts",
        "priority", "there",
    )  # fmt: skip

    def __init__(self, key: GroupKey) -> None:
        self.key = key
        self.pod_class, self.priority, self.preempts, _, self.pending = key
        self.plugins: set[str] = set()
        self.pods: dict[str, WaitingPod] = {}
        self.anywhere: list[Question] = []
        self.there: list[Question] = []
        self.events = 0

    def listen(self, registration: Registration) -> None:
        """Ask one more plugin from now on."""
        plugin, events, hint, local = registration
        self.plugins.add(plugin)
        question = (events.value, hint, plugin in self.pending)
        (self.there if local else self.anywhere).append(question)
        self.events |= events.value


class WaitingPod(PodState):
    """A pod that waits for a node; once it has one, the same object counts there.

    Attributes:
        place: Where it is.
        order: Among pods of its priority the lowest goes first. A pod that was tried in vain goes
            to the end, as upstream's does, whose time of arrival is then set anew.
        entered: When it could be tried for the first time, in seconds of the caller's clock; None
            while it is gated.
        since: While it is taken: the first event that its attempt may not have seen.
        attempts: None until it was tried in vain.
    """

    __slots__ = ("attempts", "entered", "order", "place", "since")

    def __init__(
        self,
        uid: str,
        key: Key,
        pod_class: PodClass,
        priority: int = 0,
        *,
        preempts: bool = True,
    ) -> None:
        super().__init__(uid, key, pod_class, priority=priority, preempts=preempts)
        self.place: Place = ""
        self.order = 0
        self.entered: float | None = None
        self.since = 0
        self.attempts: Attempts | None = None

    @property
    def message(self) -> str:
        """What the last rejection said; empty when there was none."""
        return "" if self.attempts is None else self.attempts.message

    def inherit(self, earlier: WaitingPod) -> None:
        """Take over the attempts of the same pod in another queue."""
        self.entered = earlier.entered
        self.attempts = earlier.attempts
        if self.attempts is not None:
            self.attempts.scout = None
