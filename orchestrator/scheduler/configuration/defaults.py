"""The configuration of a scheduler that was given none."""

from __future__ import annotations

from typing import Final

from orchestrator.scheduler.configuration.arguments import PluginArguments
from orchestrator.scheduler.configuration.expanding import expand, profile_of
from orchestrator.scheduler.configuration.profiles import Profile, SchedulerConfiguration

DEFAULT_SCHEDULER_NAME: Final = "default-scheduler"

DEFAULT_PROFILE: Final[Profile] = profile_of(
    DEFAULT_SCHEDULER_NAME,
    0,
    expand({}, "", DEFAULT_SCHEDULER_NAME, {}),
    PluginArguments(),
)
"""Upstream's default profile."""

DEFAULT_CONFIGURATION: Final = SchedulerConfiguration(profiles=(DEFAULT_PROFILE,))
"""Upstream's default configuration: that profile alone."""
