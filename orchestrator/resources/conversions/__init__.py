"""From one version of a built-in kind to another: pure functions on whole objects.

Versions that differ in nothing but their name need no entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object

__all__ = ["convert_built_in"]

_MODULES: Final = {"events": "events", "horizontalpodautoscalers.autoscaling": "autoscalers"}
"""Modules of resources whose versions differ; each has ``convert(obj, api_version)``."""


def convert_built_in(obj: Object, kind: Kind) -> Object:
    """Return ``obj`` in the version of ``kind``; itself when it is in it already."""
    if obj.get("apiVersion") == kind.api_version:
        return obj
    module = _MODULES.get(kind.resource)
    if module is None:
        return renamed(obj, kind.api_version)
    convert: Callable[[Object, str], Object] = import_module(f"{__name__}.{module}").convert
    return convert(obj, kind.api_version)


def renamed(obj: Object, api_version: str) -> Object:
    """Return an object under another version's name, with ``apiVersion`` and ``kind`` first."""
    return {**obj, "apiVersion": api_version}
