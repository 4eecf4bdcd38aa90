"""Clusters in tests: a pytest plugin, and what a failed test wants to know of its cluster.

`pytest` loads the plugin by itself; a project that uses no fixture of it pays next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from actors.testing import run_virtual, virtual
    from orchestrator.testing.reports import describe

_HOMES: Final = {
    "describe": "orchestrator.testing.reports",
    "run_virtual": "actors.testing",
    "virtual": "actors.testing",
}
__all__ = ["describe", "run_virtual", "virtual"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'orchestrator.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
