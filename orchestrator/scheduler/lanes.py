"""One lane for each profile: its plugins, and where its pods find a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orchestrator.resources.objects import Object
from orchestrator.scheduler.configuration import Profile
from orchestrator.scheduler.core.changes import Registration
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.diagnosis import Diagnosis, diagnose
from orchestrator.scheduler.core.explaining import Explanation, explain
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.placement import Placer
from orchestrator.scheduler.core.rejected import registrations_of
from orchestrator.scheduler.core.waiting import WaitingPod
from orchestrator.scheduler.extending.adapting import ProfilePlugins


class Lane:
    """What pods of one profile go through.

    Attributes:
        profile: Which one.
        framework: All plugins that look at nodes.
        plugins: Those from elsewhere; false where there are none.
        placer: Finds nodes.
    """

    __slots__ = ("_cluster", "framework", "placer", "plugins", "profile")

    def __init__(
        self,
        profile: Profile,
        plugins: ProfilePlugins,
        cluster: Cluster,
        random: Callable[[], float],
    ) -> None:
        self.profile = profile
        self.plugins = plugins
        self.framework = Framework(profile, plugins.filters, plugins.scores)
        self._cluster = cluster
        self.placer = Placer(cluster, random, framework=self.framework)

    def find(self, pod: WaitingPod, obj: Object | None) -> NodeState | None:
        """Return the node to place a pod on, or None when it fits nowhere.

        Args:
            pod: Of the queue.
            obj: Its object; only asked for where there are plugins from elsewhere.

        Raises:
            PluginFailed: One of those failed.
        """
        if not self.plugins:
            return self.placer.find_best(pod.pod_class)
        with self.plugins.about(pod.pod_class, obj):
            return self.placer.find_best(pod.pod_class)

    def diagnose(self, pod: WaitingPod, obj: Object | None) -> Diagnosis:
        """Say why a pod fits nowhere.

        Raises:
            PluginFailed: As `find`.
        """
        with self.plugins.about(pod.pod_class, obj):
            return diagnose(
                pod.pod_class, self._cluster, preempts=pod.preempts, framework=self.framework
            )

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
    random: Callable[[], float],
) -> dict[str, Lane]:
    """Make the lanes of a configuration, by the scheduler names of its pods."""
    return {
        name: Lane(profile, plugins[name], cluster, random) for name, profile in profiles.items()
    }
