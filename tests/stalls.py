"""A pytest plugin that tells where a test stands which takes very long.

Neither a runner's own time limit nor one around a process says what was waited for. This writes it
down beforehand, once for each such test, and lets the test go on: a busy machine is no failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from actors import VirtualClock

SECONDS = 60.0
"""Real seconds of one test, fixtures and all, after which it is told where it stands."""

FRAMES = 16
"""Told of a thread, the innermost ones: above them is pytest."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep the real standard error, which is caught while tests run."""
    if not config.pluginmanager.hasplugin("stalls"):
        told = os.fdopen(os.dup(2), "w")
        config.pluginmanager.register(Stalls(told), "stalls")
        config.add_cleanup(told.close)


class Stalls:
    """Watches over tests, one at a time."""

    def __init__(self, told: TextIO, seconds: float = SECONDS) -> None:
        """Write to ``told`` about what takes over so many real seconds."""
        self._told = told
        self._seconds = seconds

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch over one."""
        with watched(item.nodeid, self._seconds, self._told):
            return (yield)


@contextlib.contextmanager
def watched(name: str, seconds: float, told: TextIO) -> Iterator[None]:
    """Write where everything stands when the block takes so many real seconds.

    By a signal, which also finds who waits for a lock; a thread would be one that tests count.
    """
    before = spent()

    def tell(*_: object) -> None:
        computed, queued = (now - then for now, then in zip(spent(), before, strict=True))
        told.write(
            f"\n{name} takes over {seconds:g} s: {computed:.1f} s computed, {queued:.1f} s queued "
            f"for a processor\n{standing()}\n"
        )
        told.flush()

    old = signal.signal(signal.SIGALRM, tell)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def spent() -> tuple[float, float]:
    """Return the seconds for which this process has computed, and could have but had to queue."""
    queued = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # that thread has ended
            queued += int(path.read_text().split()[1])
    return time.process_time(), queued / 1e9


def standing() -> str:
    """Say where all threads and unfinished tasks stand, and the clocks that are moved by hand."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    lines: list[str] = []
    for ident, frame in sys._current_frames().items():
        lines.append(f"thread {names.get(ident, ident)}:")
        lines += [line.rstrip() for line in traceback.format_stack(frame, FRAMES)]
    for found in gc.get_objects():
        if isinstance(found, asyncio.Task) and not found.done():
            lines.append(f"task {found.get_name()}:")
            lines += [f"  {place}" for place in awaited(found.get_coro())]
        elif isinstance(found, VirtualClock):
            lines.append(f"clock at {found.monotonic():g} s, next due {found.next_due} s")
    return "\n".join(lines)


def awaited(work: Any) -> Iterator[str]:
    """Go from a task's coroutine down to what it waits for in the end."""
    while work is not None:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(work, f"{kind}_frame")), None)
        if kind is None:
            yield repr(work)
            return
        code, frame = getattr(work, f"{kind}_code"), getattr(work, f"{kind}_frame")
        yield f"{code.co_filename}:{frame.f_lineno if frame else '?'} in {code.co_qualname}"
        work = getattr(work, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
