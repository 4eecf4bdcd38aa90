"""A profile's own plugins as the scheduler's core and its actor use them.

To the core a plugin is a `Filter` and a `Score` like the built-in ones. Those take pods by class;
plugins that depend on everything also see the pod itself, which the actor names with `about`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from orchestrator.resources.objects import Object
from orchestrator.scheduler.configuration import Profile
from orchestrator.scheduler.core.changes import (
    Change,
    Hint,
    NodeChange,
    PodChange,
    Registration,
)
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import (
    Depends,
    Filter,
    Rejection,
    Score,
    Scores,
    keep_scores,
)
from orchestrator.scheduler.extending.plugins import (
    Handle,
    Plugin,
    Reject,
    Verdict,
    Wait,
    name_of,
    overrides,
)
from orchestrator.scheduler.extending.registry import Plugins
from orchestrator.scheduler.extending.views import NodeView, PodView

HIGHEST: Final = 100


class PluginFailed(RuntimeError):  # noqa: N818 - what happened to it, as elsewhere here
    """A plugin raised, or answered what cannot be; the message is upstream's.

    Attributes:
        plugin: Its name.
    """

    def __init__(self, plugin: str, point: str, error: object) -> None:
        super().__init__(f'running {point} plugin "{plugin}": {error}')
        self.plugin = plugin


class Refusal(NamedTuple):
    """A plugin's no about a pod.

    Attributes:
        plugin: Its name.
        reason: What it said.
        events: What could change its mind.
    """

    plugin: str
    reason: str
    events: ClusterEvent


class ProfilePlugins:
    """The plugins that a profile enables beside the built-in ones.

    Attributes:
        filters: For the core, by name.
        scores: Likewise.
    """

    def __init__(
        self,
        profile: Profile,
        known: Plugins,
        handle: Handle,
        report: Callable[[PluginFailed], None] = lambda _: None,
    ) -> None:
        """Make the plugins.

        Args:
            profile: What it enables, and what it tells them.
            known: All plugins there are.
            handle: What they may ask and tell.
            report: Hears of errors that make no difference to a pod.

        Raises:
            ValueError: A plugin does not take its arguments; the message names it.
        """
        self._profile = profile
        self._handle = handle
        self._report = report
        self._pod: PodView | None = None
        self._plugins: dict[str, Plugin] = {}
        scores = [score.name for score in profile.scores]
        for names in (
            profile.pre_filters,
            profile.filters,
            profile.post_filters,
            scores,
            profile.reserves,
            profile.permits,
            profile.pre_binds,
            profile.post_binds,
        ):
            for name in names:
                if name in known and name not in self._plugins:
                    self._plugins[name] = self._make(known[name])
        own = self._plugins
        filters = dict.fromkeys((*profile.pre_filters, *profile.filters))
        self.filters: Mapping[str, Filter] = {
            name: self._filter(own[name]) for name in filters if name in own
        }
        self.scores: Mapping[str, Score] = {
            name: self._score(own[name]) for name in scores if name in own
        }
        self._post_filters = self._at(profile.post_filters)
        self._reserves = self._at(profile.reserves)
        self._permits = self._at(profile.permits)
        self._pre_binds = self._at(profile.pre_binds)
        self._post_binds = self._at(profile.post_binds)

    def __bool__(self) -> bool:
        return bool(self._plugins)

    @property
    def events(self) -> Mapping[str, ClusterEvent]:
        """What could change each plugin's mind, by name."""
        return {name: plugin.events for name, plugin in self._plugins.items()}

    def _at(self, names: Sequence[str]) -> tuple[Plugin, ...]:
        return tuple(self._plugins[name] for name in names if name in self._plugins)

    def _make(self, plugin: type[Plugin]) -> Plugin:
        name = name_of(plugin)
        try:
            return plugin(self._profile.arguments.others.get(name, {}), self._handle)
        except Exception as error:
            raise ValueError(f'initializing plugin "{name}": {error}') from error

    # ---- for the core

    @contextmanager
    def about(self, pod_class: PodClass, obj: Object | None) -> Iterator[PodView]:
        """Say which pod is decided about within the block."""
        before, self._pod = self._pod, PodView(pod_class, obj)
        try:
            yield self._pod
        finally:
            self._pod = before

    def _view(self, pod: PodClass, depends: Depends) -> PodView | None:
        """Return what a plugin sees of a pod; None where it wants to see one, and there is none.

        Whether an event may help some pod of a class is asked without naming the pod.
        """
        return self._pod if depends is Depends.EVERYTHING else PodView(pod)

    def node_view(self, node: NodeState, depends: Depends = Depends.EVERYTHING) -> NodeView:
        """Return what a plugin sees of a node."""
        return NodeView(node, depends, self._handle.get)

    def _filter(self, plugin: Plugin) -> Filter:
        depends, name = plugin.depends_on, name_of(type(plugin))
        profile = self._profile

        def check(pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
            view = self._view(pod, depends)
            if view is None:
                return None
            verdict = _ask(plugin, "Filter", plugin.filter, view, self.node_view(node, depends))
            return None if verdict is None else Rejection((verdict.reason,), verdict.resolvable)

        def check_pod(_pod: PodClass, _cluster: Cluster) -> Rejection | None:
            if self._pod is None:
                return None
            verdict = _ask(plugin, "PreFilter", plugin.pre_filter, self._pod)
            return None if verdict is None else Rejection((verdict.reason,), verdict.resolvable)

        early = overrides(type(plugin), "pre_filter") and name in profile.pre_filters
        late = overrides(type(plugin), "filter") and name in profile.filters
        return Filter(
            name,
            check if late else _passes,
            plugin.events,
            depends if late else Depends.NODE,
            check_pod=check_pod if early else None,
            hint=self.hint_of(name),
        )

    def _score(self, plugin: Plugin) -> Score:
        depends, name = plugin.depends_on, name_of(type(plugin))
        normalises = overrides(type(plugin), "normalise")
        names: list[str] = []

        def score(pod: PodClass, nodes: Sequence[NodeState], _cluster: Cluster) -> Scores:
            view = self._view(pod, depends) or PodView(pod)
            found = []
            for node in nodes:
                try:
                    value = plugin.score(view, self.node_view(node, depends))
                except Exception as error:
                    raise PluginFailed(name, "Score", error) from error
                if not normalises:
                    _check_score(name, node.name, value)
                found.append(int(value))
            names[:] = [node.name for node in nodes]
            return found

        def normalise(raw: Scores) -> Scores:
            try:
                scores = plugin.normalise(dict(zip(names, raw, strict=True)))
                found = [scores[node] for node in names]
            except Exception as error:
                raise PluginFailed(name, "Score", error) from error
            for node, value in zip(names, found, strict=True):
                _check_score(name, node, value)
            return [int(value) for value in found]

        if normalises:
            return Score(name, score, normalise, Depends.EVERYTHING)
        return Score(name, score, keep_scores, depends)

    # ---- for the actor

    def post_filter(self, pod: PodView, message: str) -> None:
        """Tell that a pod fitted nowhere."""
        for plugin in self._post_filters:
            self._tell(plugin, "PostFilter", plugin.post_filter, pod, message)

    def reserve(self, pod: PodView, node: NodeState) -> Refusal | None:
        """Tell that a pod is about to go to a node; the first no undoes all and is returned."""
        if not self._reserves:
            return None
        view = self.node_view(node)
        try:
            rejected = _first(self._reserves, "Reserve", "reserve", pod, view)
        except PluginFailed:
            self.unreserve(pod, node)
            raise
        if rejected is not None:
            self.unreserve(pod, node)
        return rejected

    def unreserve(self, pod: PodView, node: NodeState | None) -> None:
        """Tell that a pod does not go there after all."""
        view = None if node is None else self.node_view(node)
        for plugin in reversed(self._reserves):
            self._tell(plugin, "Unreserve", plugin.unreserve, pod, view)

    def permit(self, pod: PodView, node: NodeState) -> Refusal | dict[str, float]:
        """Ask for all permits.

        Returns:
            A refusal; or the seconds to wait at most by the plugins that let it wait, empty where
            all permits are given.
        """
        waits: dict[str, float] = {}
        for plugin in self._permits:
            name = name_of(type(plugin))
            try:
                answer = plugin.permit(pod, self.node_view(node))
            except Exception as error:
                raise PluginFailed(name, "Permit", error) from error
            if isinstance(answer, Wait):
                waits[name] = answer.seconds
            elif (reject := _verdict(plugin, "Permit", answer)) is not None:
                return _refusal(plugin, reject)
        return waits

    def pre_bind(self, pod: PodView, node: NodeState) -> Refusal | None:
        """Ask, at the last moment, whether a pod may be bound."""
        if not self._pre_binds:
            return None
        return _first(self._pre_binds, "PreBind", "pre_bind", pod, self.node_view(node))

    def post_bind(self, pod: PodView, node: NodeState | None) -> None:
        """Tell that a pod was bound."""
        if node is not None:
            for plugin in self._post_binds:
                self._tell(plugin, "PostBind", plugin.post_bind, pod, self.node_view(node))

    def _tell(self, plugin: Plugin, point: str, method: Callable[..., None], *args: Any) -> None:
        try:
            method(*args)
        except Exception as error:  # noqa: BLE001 - reported; the pod is not to suffer from it
            self._report(PluginFailed(name_of(type(plugin)), point, error))

    @property
    def registrations(self) -> list[Registration]:
        """What the queue has to know of plugins that are no filters."""
        return [
            Registration(name, plugin.events, self.hint_of(name))
            for name, plugin in self._plugins.items()
            if name not in self.filters
        ]

    def hint_of(self, name: str) -> Hint | None:
        """Return what asks a plugin whether an event is worth another try; None where all are."""
        plugin = self._plugins[name]
        if not overrides(type(plugin), "hint"):
            return None

        def hint(pod: PodClass, change: Change) -> bool:
            node = change.node if isinstance(change, NodeChange | PodChange) else None
            view = None if node is None else self.node_view(node)
            try:
                return bool(plugin.hint(PodView(pod), change.kind, view))
            except Exception as error:  # noqa: BLE001 - reported; rather once too often than never
                self._report(PluginFailed(name, "QueueingHint", error))
                return True

        return hint


def _passes(_pod: PodClass, _node: NodeState, _cluster: Cluster) -> None:
    """Let every node pass: the plugin looks at pods only."""


def _first(plugins: Sequence[Plugin], point: str, method: str, *args: Any) -> Refusal | None:
    for plugin in plugins:
        reject = _ask(plugin, point, getattr(plugin, method), *args)
        if reject is not None:
            return _refusal(plugin, reject)
    return None


def _ask(plugin: Plugin, point: str, method: Callable[..., Verdict], *args: Any) -> Reject | None:
    try:
        answer = method(*args)
    except Exception as error:
        raise PluginFailed(name_of(type(plugin)), point, error) from error
    return _verdict(plugin, point, answer)


def _refusal(plugin: Plugin, reject: Reject) -> Refusal:
    return Refusal(name_of(type(plugin)), reject.reason, plugin.events)


def _verdict(plugin: Plugin, point: str, answer: Any) -> Reject | None:
    if answer is None or answer is True:
        return None
    if isinstance(answer, Reject):
        return answer
    name = name_of(type(plugin))
    if answer is False:
        return Reject(f"node(s) didn't satisfy plugin {name}")
    if isinstance(answer, str):
        return Reject(answer)
    raise PluginFailed(name, point, f"answered {answer!r}: not None, a bool, a reason or Reject")


def _check_score(plugin: str, node: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PluginFailed(plugin, "Score", f"answered {value!r} for node {node}: not an int")
    if not 0 <= value <= HIGHEST:
        raise PluginFailed(
            plugin,
            "Score",
            f'plugin "{plugin}" returns an invalid score {value}, it should in the range of [0, '
            f"{HIGHEST}] after normalizing",
        )
