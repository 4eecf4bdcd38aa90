"""Policies: scheduler configurations under the names that reports give them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.bench.failures import UserError
from orchestrator.scheduler.configuration import (
    DEFAULT_CONFIGURATION,
    ConfigurationError,
    SchedulerConfiguration,
)
from orchestrator.scheduler.configuration.files import load_configuration

DEFAULT: Final = "default"
"""What stands for kube-scheduler's own configuration instead of a file."""


class PolicyError(UserError):
    """A policy that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A scheduler configuration with a name."""

    name: str
    configuration: SchedulerConfiguration


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
        return Policy(name, load_configuration(Path(path)))
    except ConfigurationError as error:
        raise PolicyError(str(error)) from error
