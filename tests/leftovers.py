"""What a test may not leave behind: tasks, connections, threads, child processes, a loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from asyncio import runners, selector_events
from collections.abc import Iterator
from pathlib import Path

import pytest

GRACE = 2.0
"""Seconds that threads and children get to end: an executor's threads outlive the call that ends
them by a moment."""


@pytest.fixture(autouse=True, scope="session")
def no_loop_left_over() -> None:
    """Keep pytest-asyncio from making a loop that it never closes.

    It asks for the loop that was there before its own; the first time, asyncio makes one on demand,
    and the warning about it hits whatever test the collector runs in.
    """
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True, scope="session")
def unfinished_tasks() -> Iterator[list[str]]:
    """The tasks that still ran when their loop was closed, in every loop of the suite.

    `asyncio.Runner` cancels them and says nothing, so a task that nobody owns would never be seen.
    """
    found: list[str] = []
    cancel_all = runners._cancel_all_tasks  # type: ignore[attr-defined] # where a runner looks for them

    def record(loop: asyncio.AbstractEventLoop) -> None:
        found.extend(repr(task) for task in asyncio.all_tasks(loop))
        cancel_all(loop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runners, "_cancel_all_tasks", record)
        yield found


@pytest.fixture(autouse=True, scope="session")
def open_connections() -> Iterator[list[asyncio.BaseTransport]]:
    """The connections that were still open when their loop was closed, in every loop of the suite.

    Nobody can close them any more; the collector would warn of them in whatever test it runs in.
    """
    found: list[asyncio.BaseTransport] = []
    close = selector_events.BaseSelectorEventLoop.close

    def record(loop: selector_events.BaseSelectorEventLoop) -> None:
        transports = getattr(loop, "_transports", {}).values()
        found.extend(one for one in list(transports) if getattr(one, "_sock", None) is not None)
        close(loop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selector_events.BaseSelectorEventLoop, "close", record)
        yield found


@pytest.fixture
def untidy() -> Iterator[None]:
    """Excuse the connections that a client's library leaves open: they are closed here."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _close(transports: list[asyncio.BaseTransport]) -> None:
    """Close connections whose loop is closed, so that the collector has nothing to warn of."""
    for transport in transports:
        socket, transport._sock = transport._sock, None  # type: ignore[attr-defined] # no other way
        if socket is not None:
            socket.close()
    transports.clear()


def _children() -> set[str]:
    found: set[str] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(path.read_text().split())
        except OSError:  # that thread has ended
            continue
    return found


def _command(process: str) -> str:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "ended"
    return b" ".join(words).decode(errors="replace").strip() or "ended, not waited for"


@pytest.fixture(autouse=True)
def nothing_left_over(
    request: pytest.FixtureRequest,
    unfinished_tasks: list[str],
    open_connections: list[asyncio.BaseTransport],
) -> Iterator[None]:
    """Fail a test that leaves a task, a connection, a thread or a child process behind.

    One that is about such tasks carries the marker ``leaves_tasks``; one whose libraries leave
    connections, the fixture ``untidy``.
    """
    unfinished_tasks.clear()
    _close(open_connections)
    threads = set(threading.enumerate())
    children = _children()
    yield
    if request.node.get_closest_marker("leaves_tasks") is None:
        assert not unfinished_tasks, "tasks left over:\n" + "\n".join(unfinished_tasks)
    connections = [repr(transport) for transport in open_connections]
    _close(open_connections)
    if "untidy" not in request.fixturenames:
        assert not connections, "connections left over:\n" + "\n".join(connections)
    deadline = time.monotonic() + GRACE
    while True:
        more_threads = [thread.name for thread in set(threading.enumerate()) - threads]
        more_children = _children() - children
        if not more_threads and not more_children:
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    assert not more_threads, f"threads left over: {sorted(more_threads)}"
    described = [f"{process} ({_command(process)})" for process in sorted(more_children)]
    assert not described, f"child processes left over: {described}"
