"""What a KubeSchedulerConfiguration must be beside well-formed, apart from plugins' arguments.

Source of rules and words: pkg/scheduler/apis/config/validation and
k8s.io/component-base/config/validation of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import duplicate, forbidden, invalid, required
from orchestrator.scheduler.configuration.argument_validation import argument_problems
from orchestrator.scheduler.configuration.points import BUILT_IN, POINTS, UNSUPPORTED, Registry
from orchestrator.scheduler.configuration.structure import API_VERSION

_REMOVED: Final = frozenset({"AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits"})
_LEADER_DURATIONS: Final = {"leaseDuration": "15s", "renewDeadline": "10s", "retryPeriod": "2s"}
"""With their defaults."""


def configuration_problems(config: Mapping[str, Any], others: Registry) -> list[FieldError]:
    """Return everything that is wrong with a decoded configuration, in upstream's order."""
    found: list[FieldError] = []
    burst = (config.get("clientConnection") or {}).get("burst") or 0
    if burst < 0:
        found.append(invalid("clientConnection.burst", burst, "must be non-negative"))
    found += _leader_election(config.get("leaderElection") or {})
    parallelism = config.get("parallelism", 16)
    if parallelism <= 0:
        why = "should be an integer value greater than zero"
        found.append(invalid("parallelism", parallelism, why))
    found += _profiles(config.get("profiles") or [{}], others)
    found += _percentage(config.get("percentageOfNodesToScore"), "percentageOfNodesToScore")
    initial = config.get("podInitialBackoffSeconds", 1)
    longest = config.get("podMaxBackoffSeconds", 10)
    if initial <= 0:
        found.append(invalid("podInitialBackoffSeconds", initial, "must be greater than 0"))
    if longest < initial:
        why = "must be greater than or equal to PodInitialBackoffSeconds"
        found.append(invalid("podMaxBackoffSeconds", longest, why))
    if config.get("extenders"):
        found.append(
            forbidden(
                "extenders",
                "this scheduler calls no extenders; write a plugin in Python instead "
                "(docs/scheduling.md)",
            )
        )
    return found


def _profiles(profiles: list[dict[str, Any]], others: Registry) -> list[FieldError]:
    found: list[FieldError] = []
    seen: dict[str, int] = {}
    for index, profile in enumerate(profiles):
        at = f"profiles[{index}]"
        name = scheduler_name(profile, len(profiles))
        if not name:
            found.append(required(f"{at}.schedulerName"))
        percentage = profile.get("percentageOfNodesToScore")
        found += _percentage(percentage, f"{at}.percentageOfNodesToScore")
        found += _removed(profile.get("plugins") or {}, f"{at}.plugins")
        found += _plugin_config(profile.get("pluginConfig") or (), f"{at}.pluginConfig", others)
        if name in seen:
            first = f"profiles[{seen[name]}].schedulerName"
            found.append(duplicate(f"{at}.schedulerName", first))
        seen[name] = index
    return found


def scheduler_name(profile: Mapping[str, Any], profiles: int) -> str:
    """Return a profile's name; only one that is alone has a default."""
    name: str | None = profile.get("schedulerName")
    if name is None and profiles == 1:
        return "default-scheduler"
    return name or ""


def _percentage(value: int | None, at: str) -> list[FieldError]:
    if value is None or 0 <= value <= 100:
        return []
    return [invalid(at, value, "not in valid range [0-100]")]


def _removed(plugins: Mapping[str, Any], at: str) -> Iterator[FieldError]:
    for point in POINTS:
        for index, one in enumerate((plugins.get(point) or {}).get("enabled") or ()):
            if (name := one.get("name")) in _REMOVED:
                yield _was_removed(f"{at}.{point}.enabled[{index}]", name)


def _was_removed(at: str, name: str) -> FieldError:
    why = f'was invalid in version "v1" (KubeSchedulerConfiguration is version "{API_VERSION}")'
    return invalid(at, name, why)


def _plugin_config(entries: Any, path: str, others: Registry) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        at = f"{path}[{index}]"
        name = entry.get("name") or ""
        if name in seen:
            yield duplicate(at, name)
        seen.add(name)
        if name in _REMOVED:
            yield _was_removed(at, name)
        elif name not in BUILT_IN and name not in others:
            yield invalid(f"{at}.name", name, UNSUPPORTED.get(name) or "plugin does not exist")
        elif name in BUILT_IN:
            yield from argument_problems(name, entry.get("args") or {}, f"{at}.args")


def _leader_election(given: Mapping[str, Any]) -> Iterator[FieldError]:
    if not given:
        return
    from orchestrator.resources.cel.errors import EvaluationError
    from orchestrator.resources.cel.times import duration

    at = "leaderElection"
    texts = {field: given.get(field) or text for field, text in _LEADER_DURATIONS.items()}
    lasts: dict[str, int] = {}
    for field, text in texts.items():
        try:
            lasts[field] = duration(text).nanoseconds
        except EvaluationError as error:
            yield invalid(f"{at}.{field}", text, str(error))
    if not given.get("leaderElect", True):
        return
    for field, nanoseconds in lasts.items():
        if nanoseconds <= 0:
            yield invalid(f"{at}.{field}", texts[field], "must be greater than zero")
    if lasts.get("leaseDuration", 1) <= lasts.get("renewDeadline", 0):
        why = "must be greater than `RenewDeadline`"
        yield invalid(f"{at}.leaseDuration", texts["renewDeadline"], why)
    if (lock := given.get("resourceLock") or "leases") != "leases":
        yield invalid(f"{at}.resourceLock", lock, 'resourceLock value must be "leases"')
