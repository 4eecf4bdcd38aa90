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


LARGE: Final = 256 * 1024
"""Bytes of an object from which its rules are looked at in a thread: a body of three megabytes has
room for a million complaints."""


async def decided(kind: Kind, decide: Callable[[], _Result], size: int = 0) -> _Result:
    """Return what a pure decision comes to; one that takes long is made again in a thread.

    Args:
        kind: Of the object; only custom kinds have rules that take long for small ones.
        decide: May run twice, and in a thread.
        size: Bytes of the object, where that is known.
    """
    if size > LARGE:
        return await asyncio.to_thread(decide)
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
