"""Running a coroutine, or an async test, in virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, overload

from actors.testing._loop import VirtualTimeLoop

P = ParamSpec("P")
T = TypeVar("T")


def run_virtual(work: Coroutine[Any, Any, T], *, seed: int | None = None) -> T:
    """Run a coroutine to its end on a loop of its own whose time is virtual.

    With a seed, runnable tasks and actors take turns in an order drawn from it; the same seed
    gives the same order, and a failure names the seed.

    Raises:
        Deadlock: nothing could ever go on.
    """
    try:
        with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(seed)) as runner:
            return runner.run(work)
    except Exception as error:
        if seed is not None:
            error.add_note(f"in virtual time with seed={seed}")
        raise


@overload
def virtual(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]: ...
@overload
def virtual(
    *, seed: int | None = None
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, T]]: ...
def virtual(test: Any = None, *, seed: int | None = None) -> Any:
    """Make an ``async def`` test an ordinary one that runs in virtual time.

    ``@virtual`` keeps production's order, ``@virtual(seed=7)`` draws one.
    """
    if test is None:
        return functools.partial(virtual, seed=seed)

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        return run_virtual(test(*args, **kwargs), seed=seed)

    return run
