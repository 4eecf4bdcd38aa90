"""One lane for each profile: its plugins, and where its pods find a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orchestrator.resources.objects import Object
from orchestrator.scheduler.configuration import Profile
from orchestrator.scheduler.core.changes import Registration
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.deciding import Decider, Refusal
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.explaining import Explanation, explain
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.rejected import registrations_of
from orchestrator.scheduler.core.waiting import WaitingPod
from orchestrator.scheduler.extending.adapting import ProfilePlugins


class Lane:
    """What pods of one profile go through.

    Attributes:
        profile: Which one.
        framework: All plugins that look at nodes.
        plugins: Those from elsewhere.
        is_plain: There are none of those.
        decider: Finds nodes, and pods to preempt.
    """

    __slots__ = ("_cluster", "decider", "framework", "is_plain", "plugins", "profile")

    def __init__(
        self,
        profile: Profile,
        plugins: ProfilePlugins,
        cluster: Cluster,
        budgets: Budgets,
        random: Callable[[], float],
    ) -> None:
        self.profile = profile
        self.plugins = plugins
        self.is_plain = not plugins
        self.framework = Framework(profile, plugins.filters, plugins.scores)
        self._cluster = cluster
        self.decider = Decider(cluster, budgets, random, self.framework)

    def choose(self, pod: WaitingPod, obj: Callable[[], Object | None]) -> NodeState | None:
        """Return the node to place a pod on, or None when it fits nowhere.

        Args:
            pod: Of the queue.
            obj: Finds its object; only asked where there are plugins from elsewhere.

        Raises:
            PluginFailed: One of those failed.
        """
        if self.is_plain:
            return self.decider.choose(pod)
        with self.plugins.about(pod.pod_class, obj()):
            return self.decider.choose(pod)

    def refuse(self, pod: WaitingPod, obj: Callable[[], Object | None]) -> Refusal:
        """Say what becomes of a pod that fits nowhere, and tell those plugins that want to know."""
        if self.is_plain:
            return self.decider.refuse(pod)
        with self.plugins.about(pod.pod_class, obj()) as view:
            refusal = self.decider.refuse(pod)
            if refusal.preemption is None:
                self.plugins.post_filter(view, refusal.message)
        return refusal

    def explain(self, pod: WaitingPod, obj: Object | None) -> Explanation:
        """Ask every plugin about every node.

        Raises:
            PluginFailed: One from elsewhere failed.
        """
        with self.plugins.about(pod.pod_class, obj):
            return explain(pod.pod_class, self._cluster, self.framework, preempts=pod.preempts)


def registrations_from(lanes: Iterable[Lane]) -> dict[str, Registration]:
    """Return what the queue has to know of the plugins of all profiles."""
    every = list(lanes)
    return registrations_of(
        (plugin for lane in every for plugin in lane.framework.filters),
        (one for lane in every for one in lane.plugins.registrations),
    )


def by_scheduler(
    profiles: Mapping[str, Profile],
    plugins: Mapping[str, ProfilePlugins],
    cluster: Cluster,
    budgets: Budgets,
    random: Callable[[], float],
) -> dict[str, Lane]:
    """Make the lanes of a configuration, by the scheduler names of its pods."""
    return {
        name: Lane(profile, plugins[name], cluster, budgets, random)
        for name, profile in profiles.items()
    }
