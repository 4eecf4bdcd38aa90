"""A scheduler's configuration as its core takes it: read, defaulted, validated, expanded."""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.records import dataclass
from orchestrator.scheduler.configuration.arguments import PluginArguments


class WeightedScore(NamedTuple):
    """A plugin that scores, and what its score is multiplied by."""

    name: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How the pods of one ``schedulerName`` are scheduled.

    Plugins are names in the order in which they are asked.

    Attributes:
        scheduler_name: Of the pods.
        percentage_of_nodes_to_score: Of all nodes, how many feasible ones are enough to stop the
            search; 0 for upstream's adaptive share. The profile's own or the configuration's.
        pre_enqueue: May keep a pod from the queue.
        queue_sort: Says which pod comes first; exactly one.
        pre_filters: Look at the pod before any node.
        filters: Say whether a pod may run on a node.
        post_filters: Try to make room when no node passed.
        pre_scores: Look at the nodes that passed.
        scores: Say how well a node suits, with weights.
        reserves: Hear of a placement before it is written, and of its undoing.
        permits: May refuse a placement or let it wait.
        pre_binds: Prepare what a placement needs.
        binds: Write it; at least one.
        post_binds: Hear of a placement that was written.
        arguments: What the plugins were told.
    """

    scheduler_name: str
    percentage_of_nodes_to_score: int = 0
    pre_enqueue: tuple[str, ...]
    queue_sort: str
    pre_filters: tuple[str, ...]
    filters: tuple[str, ...]
    post_filters: tuple[str, ...]
    pre_scores: tuple[str, ...]
    scores: tuple[WeightedScore, ...]
    reserves: tuple[str, ...]
    permits: tuple[str, ...]
    pre_binds: tuple[str, ...]
    binds: tuple[str, ...]
    post_binds: tuple[str, ...]
    arguments: PluginArguments


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerConfiguration:
    """All of a scheduler's configuration.

    Attributes:
        profiles: At least one; their scheduler names differ.
        initial_backoff: Seconds that a pod rests after its first failed attempt.
        max_backoff: Seconds that it rests at most, doubling from attempt to attempt.
        without_effect: Settings that were given and are valid, and change nothing here, with the
            reason: ``parallelism: ...``. For the log.
    """

    profiles: tuple[Profile, ...]
    initial_backoff: float = 1.0
    max_backoff: float = 10.0
    without_effect: tuple[str, ...] = ()

    @property
    def by_name(self) -> dict[str, Profile]:
        """The profiles by scheduler name."""
        return {profile.scheduler_name: profile for profile in self.profiles}
