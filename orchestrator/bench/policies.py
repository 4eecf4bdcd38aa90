"""Policies: scheduler configurations under the names that reports give them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.bench.failures import UserError
from orchestrator.bench.simulation import Simulation
from orchestrator.scheduler.configuration import (
    DEFAULT_CONFIGURATION,
    ConfigurationError,
    SchedulerConfiguration,
)
from orchestrator.scheduler.configuration.files import load_configuration
from orchestrator.scheduler.extending.registry import (
    PluginError,
    Plugins,
    find_plugins,
    registry_of,
)

DEFAULT: Final = "default"
"""What stands for kube-scheduler's own configuration instead of a file."""


class PolicyError(UserError):
    """A policy that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A scheduler configuration with a name, and the plugins that it can name."""

    name: str
    configuration: SchedulerConfiguration
    plugins: Plugins = field(default_factory=dict)

    def simulate(self, seed: int) -> Simulation:
        """Return an empty cluster that is scheduled by this policy.

        Raises:
            PolicyError: A plugin does not take its arguments.
        """
        try:
            return Simulation(seed, self.configuration, self.plugins)
        except ValueError as error:
            raise PolicyError(f"policy {self.name}: {error}") from error


def load_policies(texts: list[str]) -> list[Policy]:
    """Read policies from what a user calls them: ``FILE``, ``NAME=FILE`` or ``default``.

    A file's policy is called as the file is, without its ending.

    Raises:
        PolicyError: A file cannot be used, or two policies have one name.
    """
    policies: dict[str, Policy] = {}
    for text in texts or [DEFAULT]:
        policy = _load(text)
        if policy.name in policies:
            raise PolicyError(
                f"two policies are called {policy.name}; name one of them: --policy NAME={text}"
            )
        policies[policy.name] = policy
    return list(policies.values())


def _load(text: str) -> Policy:
    name, equals, path = text.partition("=")
    if not equals:
        name, path = Path(text).stem, text
    if path == DEFAULT:
        return Policy(name, DEFAULT_CONFIGURATION)
    try:
        plugins = find_plugins()
        configuration = load_configuration(Path(path), registry_of(plugins))
    except (ConfigurationError, PluginError) as error:
        raise PolicyError(str(error)) from error
    for profile in configuration.profiles:
        later = (*profile.reserves, *profile.permits, *profile.pre_binds, *profile.post_binds)
        if own := sorted(plugins.keys() & set(later)):
            raise PolicyError(
                f"{path}: {own[0]} takes part after a node is chosen, which has no part in a "
                "simulation: only filters and scores can be compared"
            )
    return Policy(name, configuration, plugins)
