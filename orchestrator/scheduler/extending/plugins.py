"""Plugins of one's own: a class with the methods it wants, or a decorated function.

Names, order and meaning of the methods are those of kube-scheduler's framework.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, ClassVar, Final, Protocol, TypeAlias

from orchestrator.records import dataclass
from orchestrator.resources.objects import Object
from orchestrator.scheduler.configuration import Point
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.plugins.base import Depends
from orchestrator.scheduler.extending.views import NodeView, PodView


@dataclass(frozen=True, slots=True)
class Reject:
    """A plugin's no.

    Attributes:
        reason: Stands in the pod's condition and in events, as in ``0/3 nodes are available: 3
            REASON.``
        resolvable: Whether taking other pods away could change it; False keeps preemption from
            trying.
    """

    reason: str
    resolvable: bool = True


@dataclass(frozen=True, slots=True)
class Wait:
    """A permit that is not given yet: the pod keeps its place until it is allowed or rejected.

    Attributes:
        seconds: After which the pod is rejected; at most 15 minutes, as upstream.
    """

    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= MAX_WAIT:
            raise ValueError(
                f"a permit can wait for up to {MAX_WAIT:g} seconds, not {self.seconds:g}"
            )


MAX_WAIT: Final = 900.0
ANY_EVENT: Final = ~ClusterEvent(0)
"""Whatever happens may help: the safe declaration."""

Verdict: TypeAlias = Reject | str | bool | None
"""None or True: yes. False, a reason or `Reject`: no."""


class WaitingPod(Protocol):
    """A pod that waits for permits."""

    @property
    def pod(self) -> PodView:
        """It."""

    @property
    def node(self) -> str:
        """The place that is kept for it."""


class Handle(Protocol):
    """What a plugin can ask of the scheduler, and tell it. Only during the plugin's own methods."""

    @property
    def random(self) -> Random:
        """The system's generator: with it, a seed repeats a history."""

    @property
    def revision(self) -> int:
        """Grows with every change of any object: what was listed before then still holds."""

    def monotonic(self) -> float:
        """Return seconds on the system's clock, which never goes back."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return an object of the cluster (``persistentvolumes``, ``deployments.apps``)."""

    def list(
        self, resource: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Object]:
        """Return the objects that have all these labels, of a namespace or of all."""

    def place_of(self, uid: str) -> str:
        """Return the node a pod is on, or is about to be on; empty while it has none."""

    def waiting(self) -> Sequence[WaitingPod]:
        """Return the pods that wait for permits."""

    def allow(self, uid: str, plugin: str) -> None:
        """Give one plugin's permit to a waiting pod; it is bound once it has them all."""

    def reject(self, uid: str, plugin: str, reason: str) -> None:
        """Take a waiting pod's place away."""

    def activate(self, uids: Sequence[str], *, after: float = 0.0) -> None:
        """Let pods that wait for an event or a backoff be tried at once, or in some seconds."""


class Plugin:
    """A plugin; override what it has something to say about, and leave the rest.

    One instance for each profile that enables it. Methods are called one at a time, never wait and
    never change what they are given. One that raises costs the pod this attempt, not the scheduler:
    the pod's condition and an event have the error.

    Attributes:
        name: In profiles; the class's name where it is empty.
        depends_on: What `filter` and `score` look at. With `Depends.NODE` or `Depends.PODS`
            answers are kept for pods of a class until the node, or the pods on it, change, which
            is what makes scheduling fast. The default is safe: all is asked anew for each pod.
        events: What could change a rejection. A rejected pod is not tried again before.
        args: The plugin's ``pluginConfig``, as it was written.
        handle: The scheduler.
    """

    name: ClassVar[str] = ""
    depends_on: ClassVar[Depends] = Depends.EVERYTHING
    events: ClassVar[ClusterEvent] = ANY_EVENT

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        """Begin; raise ValueError for arguments that are wrong."""
        self.args = args
        self.handle = handle

    def pre_filter(self, pod: PodView) -> Verdict:
        """Say whether there is any use in looking at nodes for a pod."""

    def filter(self, pod: PodView, node: NodeView) -> Verdict:
        """Say whether a pod may run on a node."""

    def post_filter(self, pod: PodView, message: str) -> None:
        """Hear that a pod fitted nowhere and no room could be made; ``message`` says why."""

    def score(self, pod: PodView, node: NodeView) -> int:
        """Say how well a node suits a pod: 0 to 100, unless `normalise` is overridden too."""
        raise NotImplementedError

    def normalise(self, scores: Mapping[str, int]) -> Mapping[str, int]:
        """Bring the scores of all feasible nodes, by name, between 0 and 100."""
        return scores

    def reserve(self, pod: PodView, node: NodeView) -> Verdict:
        """Take note that a pod is about to go to a node, or refuse it."""

    def unreserve(self, pod: PodView, node: NodeView | None) -> None:
        """Undo `reserve`, also where it was not called; ``node`` is None when it is gone."""

    def permit(self, pod: PodView, node: NodeView) -> Verdict | Wait:
        """Say whether a pod may be bound now, or has to wait with its place kept."""

    def pre_bind(self, pod: PodView, node: NodeView) -> Verdict:
        """Say, at the last moment, whether a pod may be bound."""

    def post_bind(self, pod: PodView, node: NodeView) -> None:
        """Hear that a pod was bound."""

    def hint(self, pod: PodView, event: ClusterEvent, node: NodeView | None) -> bool:
        """Say whether an event, of those declared, is worth another try of a pod it rejected."""
        del pod, event, node
        return True


_METHODS: Final[Mapping[str, Point]] = {
    "pre_filter": "preFilter",
    "filter": "filter",
    "post_filter": "postFilter",
    "score": "score",
    "reserve": "reserve",
    "unreserve": "reserve",
    "permit": "permit",
    "pre_bind": "preBind",
    "post_bind": "postBind",
}


def name_of(plugin: type[Plugin]) -> str:
    """Return the name that profiles call a plugin by."""
    return plugin.name or plugin.__name__


def points_of(plugin: type[Plugin]) -> frozenset[Point]:
    """Return what a plugin extends: the points whose methods it overrides."""
    return frozenset(
        point
        for method, point in _METHODS.items()
        if getattr(plugin, method) is not getattr(Plugin, method)
    )


def overrides(plugin: type[Plugin], method: str) -> bool:
    """Tell whether a plugin has a method of its own."""
    return getattr(plugin, method) is not getattr(Plugin, method)


def _made(name: str, method: str, function: Callable[..., Any], **attributes: Any) -> type[Plugin]:
    wanted = list(inspect.signature(getattr(Plugin, method)).parameters)[1:]
    given = list(inspect.signature(function).parameters)
    if len(given) != len(wanted):
        raise TypeError(
            f"plugin {name!r}: a {method} function takes ({', '.join(wanted)}), not "
            f"({', '.join(given)})"
        )
    body = {
        "name": name,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        method: staticmethod(function),
        **attributes,
    }
    return type(name, (Plugin,), body)


def filter_plugin(
    name: str,
    *,
    depends_on: Depends = Depends.EVERYTHING,
    events: ClusterEvent = ANY_EVENT,
) -> Callable[[Callable[[PodView, NodeView], Verdict]], type[Plugin]]:
    """Make a plugin of a function that says whether a pod may run on a node."""
    return lambda function: _made(name, "filter", function, depends_on=depends_on, events=events)


def score_plugin(
    name: str, *, depends_on: Depends = Depends.EVERYTHING
) -> Callable[[Callable[[PodView, NodeView], int]], type[Plugin]]:
    """Make a plugin of a function that gives a node 0 to 100."""
    return lambda function: _made(name, "score", function, depends_on=depends_on)


def permit_plugin(
    name: str, *, events: ClusterEvent = ANY_EVENT
) -> Callable[[Callable[[PodView, NodeView], Verdict | Wait]], type[Plugin]]:
    """Make a plugin of a function that lets a pod be bound, wait, or be refused."""
    return lambda function: _made(name, "permit", function, events=events)
