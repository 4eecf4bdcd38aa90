"""From what a profile enables and disables to the plugins of every extension point.

First the profile is merged with the default plugins, point by point; then what is enabled at
``multiPoint`` is spread over the points that each plugin extends.

Source of rules and words: mergePluginSet (pkg/scheduler/apis/config/v1) and
expandMultiPointPlugins (pkg/scheduler/framework/runtime) of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from orchestrator.records import dataclass
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import invalid
from orchestrator.scheduler.configuration.arguments import PluginArguments
from orchestrator.scheduler.configuration.points import (
    BUILT_IN,
    DEFAULT_WEIGHTS,
    POINTS,
    STATE_OF_FILTERS,
    STATE_OF_SCORES,
    UNSUPPORTED,
    Point,
    Registry,
    interface,
)
from orchestrator.scheduler.configuration.profiles import Profile, WeightedScore

ALL: Final = "*"
_NEEDED: Final[tuple[tuple[Point, Point, frozenset[str]], ...]] = (
    ("filter", "preFilter", STATE_OF_FILTERS),
    ("score", "preScore", STATE_OF_SCORES),
)


class Enabled(NamedTuple):
    """A plugin that is enabled somewhere.

    Attributes:
        name: Of the plugin.
        weight: 0 where none was given.
        at: Path of the entry; empty for a default.
    """

    name: str
    weight: int = 0
    at: str = ""


@dataclass(frozen=True, slots=True)
class PluginSet:
    """What is enabled and disabled at one point."""

    enabled: tuple[Enabled, ...] = ()
    disabled: frozenset[str] = frozenset()


DEFAULT_MULTI_POINT: Final = PluginSet(
    tuple(Enabled(name, DEFAULT_WEIGHTS.get(name, 1)) for name in BUILT_IN)
)
_NOTHING: Final = PluginSet()


class Expanded(NamedTuple):
    """The result for one profile.

    Attributes:
        plugins: By point, in the order in which they are asked.
        weights: Of those that score.
        problems: Why the profile cannot be used; empty if it can.
    """

    plugins: Mapping[Point, tuple[str, ...]]
    weights: Mapping[str, int]
    problems: list[FieldError]


def read_plugin_set(given: Mapping[str, Any], at: str) -> PluginSet:
    """Read one point of a profile's ``plugins``."""
    return PluginSet(
        tuple(
            Enabled(one.get("name") or "", one.get("weight") or 0, f"{at}.enabled[{index}]")
            for index, one in enumerate(given.get("enabled") or ())
        ),
        frozenset(one.get("name") or "" for one in given.get("disabled") or ()),
    )


def merge(default: PluginSet, custom: PluginSet) -> PluginSet:
    """Put what a profile says over the defaults, keeping their place where it configures them."""
    by_name = {one.name: index for index, one in enumerate(custom.enabled)}
    kept: list[Enabled] = []
    replaced: set[int] = set()
    if ALL not in custom.disabled:
        for one in default.enabled:
            if one.name in custom.disabled:
                continue
            index = by_name.get(one.name)
            if index is None:
                kept.append(one)
            else:
                kept.append(custom.enabled[index])
                replaced.add(index)
    kept += (one for index, one in enumerate(custom.enabled) if index not in replaced)
    return PluginSet(tuple(kept), custom.disabled)


def expand(plugins: Mapping[str, Any], at: str, scheduler_name: str, others: Registry) -> Expanded:
    """Work out a profile's plugins.

    Args:
        plugins: The profile's ``plugins``; empty for the defaults alone.
        at: Their path.
        scheduler_name: Of the profile, for messages.
        others: Plugins beside the built-in ones.
    """
    known: Registry = {**BUILT_IN, **others}
    multi = merge(
        DEFAULT_MULTI_POINT, read_plugin_set(plugins.get("multiPoint") or {}, f"{at}.multiPoint")
    )
    problems = _unknown(multi, "plugin", known)
    multi = PluginSet(tuple(one for one in multi.enabled if one.name in known))
    found: dict[Point, tuple[str, ...]] = {}
    weights: dict[str, int] = {}
    for point in POINTS:
        here = read_plugin_set(plugins.get(point) or {}, f"{at}.{point}")
        problems += _misplaced(here, point, known)
        usable = {one.name: one for one in here.enabled if point in known.get(one.name, ())}
        spread = [
            one
            for one in multi.enabled
            if point in known[one.name] and one.name not in here.disabled
        ]
        if ALL in here.disabled:
            found[point] = tuple(usable)
        else:
            problems += _twice(spread, point, usable)
            found[point] = _ordered(usable, spread)
        if point == "score":
            for one in (*usable.values(), *multi.enabled):
                weights.setdefault(one.name, one.weight or 1)
    problems += _missing(found, at, scheduler_name)
    return Expanded(found, {name: weights[name] for name in found["score"]}, problems)


def _ordered(usable: Mapping[str, Enabled], spread: list[Enabled]) -> tuple[str, ...]:
    """Order a point's plugins: first those of the point that override, last its additional ones."""
    names = {one.name for one in spread}
    return (
        *(name for name in usable if name in names),
        *dict.fromkeys(one.name for one in spread if one.name not in usable),
        *(name for name in usable if name not in names),
    )


def profile_of(
    scheduler_name: str, percentage: int, expanded: Expanded, arguments: PluginArguments
) -> Profile:
    """Make a profile of what was expanded without problems."""
    plugins = expanded.plugins
    return Profile(
        scheduler_name=scheduler_name,
        percentage_of_nodes_to_score=percentage,
        pre_enqueue=plugins["preEnqueue"],
        queue_sort=plugins["queueSort"][0],
        pre_filters=plugins["preFilter"],
        filters=plugins["filter"],
        post_filters=plugins["postFilter"],
        pre_scores=plugins["preScore"],
        scores=tuple(WeightedScore(name, expanded.weights[name]) for name in plugins["score"]),
        reserves=plugins["reserve"],
        permits=plugins["permit"],
        pre_binds=plugins["preBind"],
        binds=plugins["bind"],
        post_binds=plugins["postBind"],
        arguments=arguments,
    )


def _unknown(plugins: PluginSet, what: str, known: Registry) -> list[FieldError]:
    found = []
    for one in plugins.enabled:
        if one.name not in known:
            why = f'{what} "{one.name}" does not exist'
            if one.name in UNSUPPORTED:
                why = f"is not supported by this scheduler: {UNSUPPORTED[one.name]}"
            found.append(invalid(f"{one.at}.name", one.name, why))
    return found


def _misplaced(here: PluginSet, point: Point, known: Registry) -> list[FieldError]:
    """Complain about plugins that are not there, extend something else, or come twice."""
    found = _unknown(here, interface(point), known)
    seen: set[str] = set()
    for one in here.enabled:
        if one.name in known and point not in known[one.name]:
            why = f'plugin "{one.name}" does not extend {interface(point)} plugin'
            found.append(invalid(f"{one.at}.name", one.name, why))
        elif one.name in seen:
            found.append(_registered_twice(one, point))
        seen.add(one.name)
    return found


def _twice(spread: list[Enabled], point: Point, usable: Mapping[str, Enabled]) -> list[FieldError]:
    seen: set[str] = set(usable)
    found = []
    for one in spread:
        if one.name in seen and one.name not in usable:
            found.append(_registered_twice(one, point))
        seen.add(one.name)
    return found


def _registered_twice(one: Enabled, point: Point) -> FieldError:
    why = f'plugin "{one.name}" already registered as "{interface(point)}"'
    return invalid(f"{one.at}.name", one.name, why)


def _missing(
    found: Mapping[Point, tuple[str, ...]], at: str, scheduler_name: str
) -> list[FieldError]:
    """Complain about what a profile cannot do without."""
    problems = []
    profile = f'profile with scheduler name "{scheduler_name}"'
    sorts = found["queueSort"]
    if len(sorts) != 1:
        why = f"only one queue sort plugin required for {profile}, but got {len(sorts)}"
        problems.append(invalid(f"{at}.queueSort", list(sorts), why))
    if not found["bind"]:
        why = f"at least one bind plugin is needed for {profile}"
        problems.append(invalid(f"{at}.bind", [], why))
    for later, earlier, needing in _NEEDED:
        for name in found[later]:
            if name in needing and name not in found[earlier]:
                why = f"{later} of the plugin cannot work without its {earlier}: disable both"
                problems.append(invalid(f"{at}.{earlier}", name, why))
    return problems
