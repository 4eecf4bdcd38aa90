"""Deciding about objects without holding up the loop, whatever their rules cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from orchestrator.resources.cel.patience import PATIENCE, TakesTimeError
from orchestrator.resources.kinds import Kind

UNITS: Final = 50_000
"""What rules may cost in the loop: some milliseconds."""
_Result = TypeVar("_Result")


async def decided(kind: Kind, decide: Callable[[], _Result]) -> _Result:
    """Return what a pure decision comes to; one that takes long is made again in a thread.

    Args:
        kind: Of the object; only custom kinds have rules that take long.
        decide: May run twice, and in a thread.
    """
    if kind.custom is None:
        return decide()
    token = PATIENCE.set(UNITS)
    try:
        return decide()
    except TakesTimeError:
        pass
    finally:
        PATIENCE.reset(token)
    return await asyncio.to_thread(decide)
