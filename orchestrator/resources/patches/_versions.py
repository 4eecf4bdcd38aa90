"""Managers that wrote in other API versions: what a write changes as they see it.

A set of fields means something in the version it was written in only. So a change is compared in
the version of each manager, as structured-merge-diff does; most objects know one version, and then
nothing is converted at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from orchestrator.resources.definitions import SchemaNode
from orchestrator.resources.objects import Object


class OtherVersion(NamedTuple):
    """Another served version of a kind.

    Attributes:
        schema: Its structure.
        convert: Returns an object of the version at hand in this one.
    """

    schema: SchemaNode | None
    convert: Callable[[Object], Object]


Versions = Callable[[str], OtherVersion | None]
"""From an ``apiVersion`` to that version; None for one that is not served."""
