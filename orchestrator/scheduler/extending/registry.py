"""Which plugins there are: shipped, given by whoever embeds the cluster, installed beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from orchestrator.scheduler.configuration import BUILT_IN, Registry
from orchestrator.scheduler.configuration.structure import API_VERSION, KIND
from orchestrator.scheduler.extending.plugins import Plugin, name_of, points_of

ENTRY_POINTS: Final = "orchestrator.scheduler_plugins"
"""A distribution's entry points of this group are plugins: ``name = package.module:Class``."""

Plugins: TypeAlias = Mapping[str, type[Plugin]]
"""By the name that profiles call them by."""

NO_PLUGINS: Final[Plugins] = MappingProxyType({})


class PluginError(ValueError):
    """Something that cannot be a plugin; the message says what and why."""


def find_plugins(given: Iterable[type[Plugin]] = ()) -> Plugins:
    """Return all plugins beside the built-in ones, by name.

    Args:
        given: Those of the embedding program. One of them takes the place of an installed one of
            its name, never of a built-in one.

    Raises:
        PluginError: One of them is none, or two have one name.
    """
    from importlib.metadata import entry_points

    from orchestrator.scheduler.gangs import Coscheduling

    found: dict[str, type[Plugin]] = {name_of(Coscheduling): Coscheduling}
    for point in entry_points(group=ENTRY_POINTS):
        where = f"entry point {point.name} = {point.value}"
        try:
            plugin = point.load()
        except Exception as error:
            raise PluginError(f"{where}: {type(error).__name__}: {error}") from error
        found[_checked(plugin, where)] = plugin
    named: dict[str, type[Plugin]] = {}
    for plugin in given:
        name = _checked(plugin, repr(plugin))
        if name in named:
            raise PluginError(f"two scheduler plugins are called {name}")
        named[name] = plugin
    return {**found, **named}


def enabling(given: Iterable[type[Plugin]]) -> dict[str, Any]:
    """Return the configuration that enables plugins beside those of the default profile."""
    enabled = [{"name": name_of(plugin)} for plugin in given]
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "profiles": [{"plugins": {"multiPoint": {"enabled": enabled}}}],
    }


def registry_of(plugins: Plugins) -> Registry:
    """Return what a configuration has to know of plugins."""
    return {name: points_of(plugin) for name, plugin in plugins.items()}


def _checked(plugin: object, where: str) -> str:
    if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
        raise PluginError(
            f"{where} is no scheduler plugin: give a subclass of "
            "orchestrator.scheduler.extending.Plugin, not an instance"
        )
    name = name_of(plugin)
    if name in BUILT_IN:
        raise PluginError(
            f"{where}: {name} is a built-in plugin; call it something else and disable the "
            "built-in one in the profile"
        )
    if not points_of(plugin):
        raise PluginError(f"{where} overrides no method of a plugin, so that it does nothing")
    return name
