"""The rules of a kind, generic where the kind has no module yet."""

from __future__ import annotations

from functools import cache

from orchestrator.resources.kinds import Kind
from orchestrator.resources.strategies import Strategy, generic
from orchestrator.resources.strategies import strategy_of as _strategy_of


@cache
def strategy_of(kind: Kind) -> Strategy:
    """Return the rules of a kind."""
    try:
        return _strategy_of(kind)
    except ModuleNotFoundError:
        return generic.strategy(kind)
