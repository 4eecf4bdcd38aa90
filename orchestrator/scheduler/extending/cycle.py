"""What happens to a pod between its choice of a node and its binding, where plugins have a say.

Reserve, permit and pre-bind; the pods that wait for permits; and what plugins may ask and tell the
scheduler meanwhile. The scheduler's actor drives it and carries out what it decides; nothing here
waits or writes. A placement is counted on its node all the while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple, Protocol, TypeAlias

from orchestrator.records import dataclass
from orchestrator.resources.objects import Key, Object
from orchestrator.resources.selectors import LabelSelector, set_selector
from orchestrator.scheduler.configuration import SchedulerConfiguration
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.permitting import WaitingPods
from orchestrator.scheduler.extending.adapting import PluginFailed, ProfilePlugins, Refusal
from orchestrator.scheduler.extending.plugins import ANY_EVENT
from orchestrator.scheduler.extending.registry import NO_PLUGINS, Plugins
from orchestrator.scheduler.extending.views import PodView

WORDS: Final = "0/1 nodes are available: 1 {}."
"""Of a pod that has a node and is refused all the same, as upstream counts it."""


class Candidate(Protocol):
    """A pod of the scheduler's queue."""

    @property
    def uid(self) -> str:
        """Its uid."""

    @property
    def key(self) -> Key:
        """Its resource, namespace and name."""

    @property
    def pod_class(self) -> PodClass:
        """Its class."""


class Reader(Protocol):
    """Reads the cluster's objects; the store does."""

    @property
    def sequence(self) -> int:
        """Grows with every change."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return an object, or None."""

    def list(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        labels: LabelSelector | None = None,
    ) -> list[Object]:
        """Return the objects of a namespace, or of all, that a selector matches."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A pod with the node that was chosen for it.

    Attributes:
        pod: Of the queue.
        node: Name of the node.
        scheduler_name: Of the profile.
        view: What plugins see of the pod.
    """

    pod: Candidate
    node: str
    scheduler_name: str
    view: PodView

    @property
    def uid(self) -> str:
        """Of the pod."""
        return self.pod.uid


class Bind(NamedTuple):
    """A placement may be written."""

    placement: Placement


class Hold(NamedTuple):
    """A placement waits for permits; `ExtensionCycle.take` tells how that ends."""

    placement: Placement


class Refuse(NamedTuple):
    """A placement is refused, and has been unreserved.

    Attributes:
        placement: It.
        message: For the pod's condition, in upstream's words.
        plugin: Who refused; empty after an error, when nothing but time helps.
        events: What could change its mind.
    """

    placement: Placement
    message: str
    plugin: str
    events: ClusterEvent


Outcome: TypeAlias = Bind | Hold | Refuse


class ExtensionCycle:
    """The plugins of all profiles, and the placements that they have a say in."""

    def __init__(
        self,
        configuration: SchedulerConfiguration,
        known: Plugins = NO_PLUGINS,
        *,
        reader: Reader,
        monotonic: Callable[[], float],
        random: Callable[[], Random],
        activate: Callable[[Sequence[str], float], None] = lambda _uids, _after: None,
        report: Callable[[PluginFailed], None] = lambda _: None,
    ) -> None:
        """Make the plugins.

        Args:
            configuration: Which profile enables what.
            known: All plugins beside the built-in ones.
            reader: Of the cluster's objects.
            monotonic: Tells the time.
            random: Returns the system's generator.
            activate: Lets waiting pods be tried again, after some seconds.
            report: Hears of errors of plugins that make no difference to a pod.

        Raises:
            ValueError: A plugin does not take its arguments.
        """
        self.cluster = Cluster()
        """Where placements count; whoever makes a new picture sets it."""
        self._random = random
        self._reader = reader
        self._monotonic = monotonic
        self._activate = activate
        self._waiting: WaitingPods[Placement] = WaitingPods()
        self.profiles: Mapping[str, ProfilePlugins] = {
            name: ProfilePlugins(profile, known, self, report)
            for name, profile in configuration.by_name.items()
        }

    def __contains__(self, uid: object) -> bool:
        """Tell whether a pod waits for permits."""
        return uid in self._waiting

    # ---- for the actor

    def admit(self, placement: Placement) -> Outcome:
        """Reserve a placement that counts on its node, and ask for permits."""
        plugins = self.profiles[placement.scheduler_name]
        node = self.cluster.by_name[placement.node]
        try:
            refusal = plugins.reserve(placement.view, node)
            if refusal is not None:
                return _refuse(placement, refusal)
            answer = plugins.permit(placement.view, node)
        except PluginFailed as error:
            self._unreserve(placement)
            return Refuse(placement, str(error), "", ClusterEvent(0))
        if isinstance(answer, Refusal):
            self._unreserve(placement)
            return _refuse(placement, answer)
        if answer:
            self._waiting.add(placement.uid, placement, answer, self._monotonic())
            return Hold(placement)
        return self._pre_bind(placement)

    def take(self) -> list[Bind | Refuse]:
        """Return how waiting ended for those that wait no longer. Decisions may bring others."""
        self._waiting.advance(self._monotonic())
        outcomes: list[Bind | Refuse] = []
        while decided := self._waiting.take():
            for placement, refused in decided:
                if refused is None:
                    outcomes.append(self._pre_bind(placement))
                    continue
                self._unreserve(placement)
                message = WORDS.format(refused.reason)
                outcomes.append(Refuse(placement, message, refused.plugin, ANY_EVENT))
        return outcomes

    def bound(self, placement: Placement) -> None:
        """Tell that a placement was written."""
        plugins = self.profiles[placement.scheduler_name]
        plugins.post_bind(placement.view, self.cluster.by_name.get(placement.node))

    def lost(self, placement: Placement) -> None:
        """Tell that a placement could not be written."""
        self._unreserve(placement)

    def forget(self, uid: str) -> Placement | None:
        """Give up a waiting placement whose pod is gone; return it if there was one."""
        placement = self._waiting.remove(uid)
        if placement is not None:
            self._unreserve(placement)
        return placement

    def has_decided(self) -> bool:
        """Tell whether `take` has something to tell."""
        due = self._waiting.next_time()
        return self._waiting.has_decided() or (due is not None and due <= self._monotonic())

    def next_time(self) -> float | None:
        """Return when `take` will have something to tell at the latest."""
        return self._waiting.next_time()

    def _pre_bind(self, placement: Placement) -> Bind | Refuse:
        plugins = self.profiles[placement.scheduler_name]
        node = self.cluster.by_name.get(placement.node)
        if node is None:  # deleted meanwhile: the store will say so
            return Bind(placement)
        try:
            refusal = plugins.pre_bind(placement.view, node)
        except PluginFailed as error:
            self._unreserve(placement)
            return Refuse(placement, str(error), "", ClusterEvent(0))
        if refusal is None:
            return Bind(placement)
        self._unreserve(placement)
        return _refuse(placement, refusal)

    def _unreserve(self, placement: Placement) -> None:
        node: NodeState | None = self.cluster.by_name.get(placement.node)
        self.profiles[placement.scheduler_name].unreserve(placement.view, node)

    # ---- for plugins

    @property
    def revision(self) -> int:
        """Grows with every change of any object."""
        return self._reader.sequence

    @property
    def random(self) -> Random:
        """The system's generator."""
        return self._random()

    def monotonic(self) -> float:
        """Return the time."""
        return self._monotonic()

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return an object."""
        return self._reader.get(resource, namespace, name)

    def list(
        self, resource: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Object]:
        """Return the objects that have all these labels."""
        selector = set_selector(labels) if labels else None
        return self._reader.list(resource, namespace, labels=selector)

    def place_of(self, uid: str) -> str:
        """Return the node a pod counts on."""
        return self.cluster.holds(uid) or ""

    def waiting(self) -> Sequence[_Waiting]:
        """Return the pods that wait for permits."""
        return [_Waiting(one.view, one.node) for one in self._waiting.pods()]

    def allow(self, uid: str, plugin: str) -> None:
        """Give a permit."""
        self._waiting.allow(uid, plugin)

    def reject(self, uid: str, plugin: str, reason: str) -> None:
        """Refuse a permit."""
        self._waiting.reject(uid, plugin, reason)

    def activate(self, uids: Iterable[str], *, after: float = 0.0) -> None:
        """Let pods be tried again."""
        if chosen := list(uids):
            self._activate(chosen, after)


class _Waiting(NamedTuple):
    pod: PodView
    node: str


def _refuse(placement: Placement, refusal: Refusal) -> Refuse:
    message = WORDS.format(refusal.reason)
    return Refuse(placement, message, refusal.plugin, refusal.events)
