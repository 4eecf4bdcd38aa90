"""Network tests run on both loops: asyncio's and uvloop, which the daemon uses.

They deliver what was read before a pause, and the end of a stream, at different times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Offer both loops to every asynchronous test of this folder."""
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}
