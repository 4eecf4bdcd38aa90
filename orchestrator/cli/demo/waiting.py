"""Waiting for the cluster to reach a state, woken by its own changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from orchestrator.store import Store


async def wait_for(store: Store, resources: Iterable[str], done: Callable[[], bool]) -> None:
    """Return as soon as ``done()`` holds; looked at again after each change of ``resources``.

    Bound it with `asyncio.timeout`: a state that never comes is waited for without end.
    """
    changed = asyncio.Event()
    follower = store.follow(resources, changed.set)
    try:
        while not done():
            await changed.wait()
            changed.clear()
            follower.take()
    finally:
        follower.close()
