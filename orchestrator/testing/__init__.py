"""Clusters in tests: a pytest plugin, and what a failed test wants to know of its cluster.

`pytest` loads the plugin by itself; a project that uses no fixture of it pays next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from actors.testing import run_virtual, virtual
    from orchestrator.testing.reports import describe

_HOMES: Final = {
    "describe": "orchestrator.testing.reports",
    "run_virtual": "actors.testing",
    "virtual": "actors.testing",
}
__all__ = ["describe", "run_virtual", "virtual"]

__getattr__ = exports(__name__, _HOMES)
