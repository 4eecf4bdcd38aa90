"""How an actor starts, fails, restarts and stops.

A stop goes from the leaves to the root: the current message ends, children stop in the reverse
order of their start, timers and jobs are cancelled, ``stopped`` runs, and each step has a
deadline. Where nothing has to be waited for, all of it happens on the spot, without a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

import anyio

from actors._errors import ActorStopped
from actors._states import (
    CLOSING,
    IDLE,
    READY,
    RESTARTING,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
)
from actors._supervision import Restart, Strategy, Verdict, decide_restart

if TYPE_CHECKING:
    from actors._actors import Actor
    from actors._cells import Cell
    from actors._clocks import TimerHandle

CHILDREN_PER_PAUSE: Final = 1000
"""Children stopped on the spot before other work on the loop gets a chance."""
RELEASE_STEPS: Final = 4
"""Steps of a release that each have a deadline: message, its cancelling, jobs, ``stopped``."""


def turn(cell: Cell[Any]) -> None:
    """Do what is due for a cell that is not simply handling messages."""
    if cell.state == STARTING:
        start(cell)
    elif cell.state == STOPPING:
        close(cell)


def start(cell: Cell[Any]) -> None:
    """Run ``started``; messages wait until it is done."""
    try:
        result = cell.actor.started()
    except Exception as error:  # noqa: BLE001 - the supervisor decides about all of them
        fail(cell, error)
        return
    if result is None:
        _opened(cell)
    else:
        cell.rare().task = cell.system.create_task(_start(cell, result), cell)


async def _start(cell: Cell[Any], started: Awaitable[None]) -> None:
    extras = cell.rare()
    error: BaseException | None = None
    try:
        await started
    except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001 - passed on below
        error = raised
    finally:
        extras.task = None
    if cell.state == STARTING:
        if error is None:
            _opened(cell)
        else:
            fail(cell, error)
    elif cell.state == STOPPING:
        cell.system.schedule(cell)


def _opened(cell: Cell[Any]) -> None:
    if cell.state != STARTING:  # ``started`` asked for the stop itself
        return
    cell.state = IDLE
    if cell.queue:
        cell.state = READY
        cell.system.schedule(cell)


def become(cell: Cell[Any], actor: Actor[Any]) -> None:
    """Let another instance go on, from its ``started``."""
    if cell.state != RUNNING:
        raise RuntimeError(
            f"{cell.address} can become another actor only in a handler that does not suspend"
        )
    cancel_timers(cell)
    cell.adopt(actor)
    cell.state = STARTING  # which ends the turn: what has queued waits for the new one
    cell.system.schedule(cell)


def fail(cell: Cell[Any], error: BaseException | None) -> None:
    """Let the supervisor decide about an actor that failed (None: it stopped itself)."""
    if cell.state >= STOPPING or cell.state == RESTARTING:
        if error is not None:
            cell.system.report(cell, error, "failed while it was ending")
        return
    system = cell.system
    extras = cell.rare()
    now = system.clock.monotonic()
    decision = decide_restart(cell.supervision, extras.restart_times, now, system.random)
    if error is not None:
        extras.last_error = error
        system.report(cell, error, decision.verdict.value)
    if decision.verdict is Verdict.RESTART:
        group = [cell]
        if cell.supervision.strategy is Strategy.ALL_FOR_ONE and cell.parent is not None:
            group = [
                one
                for one in cell.parent.rare().children.values()
                if one.state < STOPPING and one.state != RESTARTING
            ]
        _begin_restart(group, now, decision.delay)
        return
    parent = cell.parent
    request_stop(cell)
    if decision.verdict is Verdict.ESCALATE:
        cause = error if error is not None else ActorStopped(f"{cell.address} kept stopping")
        if parent is None or parent is system.guardian:
            system.fail(cell, cause)
        else:
            fail(parent, cause)


def stop_self(cell: Cell[Any]) -> None:
    """The actor asked for its own end."""
    if cell.supervision.restart is Restart.PERMANENT:
        fail(cell, None)
    else:
        request_stop(cell)


def request_stop(cell: Cell[Any]) -> None:
    """Have the cell stopped as soon as its current message is done."""
    if cell.state >= STOPPING:
        return
    running = cell.state == RUNNING
    cell.state = STOPPING
    if not running:  # else the end of the turn does it
        cell.system.schedule(cell)


class Revival:
    """Cells that will start again together after a delay."""

    __slots__ = ("cells", "timer")

    def __init__(self, cells: list[Cell[Any]]) -> None:
        self.cells = cells
        self.timer: TimerHandle | None = None

    def forget(self, cell: Cell[Any]) -> None:
        """Leave one out, because it is being stopped."""
        self.cells = [one for one in self.cells if one is not cell]
        if not self.cells and self.timer is not None:
            self.timer.cancel()

    def run(self) -> None:
        """Start them, the oldest first."""
        for cell in self.cells:
            if cell.state == RESTARTING:
                cell.rare().revival = None
                _revive(cell)


def _begin_restart(cells: list[Cell[Any]], now: float, delay: float) -> None:
    revival = Revival(cells)
    task = cells[0].system.create_task(_restart(revival, delay), cells[0])
    for cell in cells:
        extras = cell.rare()
        cell.state = RESTARTING
        extras.restart_count += 1
        extras.restart_times = [
            at for at in extras.restart_times if now - at < cell.supervision.period
        ]
        extras.restart_times.append(now)
        extras.closing = task
        extras.revival = revival
        cell.system.restarts += 1
        cancel_timers(cell)


async def _restart(revival: Revival, delay: float) -> None:
    """Release the old instances, the youngest first, and set the time for the new ones."""
    cells = revival.cells
    for cell in reversed(cells):
        await _release(cell)
    for cell in cells:
        cell.rare().closing = None
    if revival.cells:
        revival.timer = cells[0].system.clock.call_later(delay, revival.run)


def _revive(cell: Cell[Any]) -> None:
    cell.state = STARTING
    try:
        cell.adopt(cell.factory())
    except Exception as error:  # noqa: BLE001 - the supervisor decides about all of them
        fail(cell, error)
        return
    start(cell)


def close(cell: Cell[Any]) -> None:
    """Begin the end: refuse what waits, then release, on the spot where possible."""
    cell.state = CLOSING
    queue, cell.queue = cell.queue, None
    for message in queue or ():
        cell.drop(message, "stopped")
    extras = cell.extras
    if extras is None:
        _close_quiet(cell)
        return
    for _, future in extras.senders:
        if not future.done():
            future.set_exception(ActorStopped(f"{cell.address} stopped before there was room"))
    extras.senders.clear()
    if extras.revival is not None:
        extras.revival.forget(cell)
        extras.revival = None
    if extras.closing is None and extras.task is None and not extras.children and not extras.jobs:
        _close_quiet(cell)
    else:
        extras.closing = cell.system.create_task(_close(cell, extras.closing), cell)


def _close_quiet(cell: Cell[Any]) -> None:
    """Close a cell of which nothing runs, without a task if ``stopped`` does not suspend."""
    cancel_timers(cell)
    result = _run_stopped(cell)
    if result is None:
        _finish(cell)
    else:
        cell.rare().closing = cell.system.create_task(_close_later(cell, result), cell)


async def _close_later(cell: Cell[Any], stopped: Awaitable[None]) -> None:
    try:
        await _bounded(cell, stopped)
    finally:
        _finish(cell)


async def _close(cell: Cell[Any], releasing: asyncio.Task[None] | None) -> None:
    try:
        if releasing is None:
            await _release(cell)
        else:  # a restart had begun to
            await asyncio.wait([releasing], timeout=RELEASE_STEPS * cell.supervision.stop_timeout)
    finally:
        _finish(cell)


async def _release(cell: Cell[Any]) -> None:
    """Take back everything the instance has, from the leaves up."""
    extras = cell.rare()
    limit = cell.supervision.stop_timeout
    cancel_timers(cell)
    task = extras.task
    if task is not None:
        if cell.state == CLOSING:  # a stop lets the message end, a restart does not
            await asyncio.wait([task], timeout=limit)
        await _cancel(cell, [task], limit)
    await stop_children(cell)
    await _cancel(cell, [job.task for job in extras.jobs], limit)
    extras.jobs.clear()
    result = _run_stopped(cell)
    if result is not None:
        await _bounded(cell, result)
    cancel_timers(cell)
    _answer_deferred(cell)


def _answer_deferred(cell: Cell[Any]) -> None:
    """Tell those who were promised an answer that it will not come."""
    extras = cell.extras
    if extras is not None and extras.deferred:
        for envelope in extras.deferred:
            envelope.fail(ActorStopped(f"{cell.address} stopped before it answered"))
        extras.deferred.clear()


async def stop_children(cell: Cell[Any]) -> None:
    """Stop all children, the youngest first, each before the next one."""
    children = cell.rare().children
    while children:  # a child that was stopping anyway may start none, but its parent may
        for count, child in enumerate(reversed(list(children.values())), start=1):
            request_stop(child)
            if child.state == STOPPING:
                close(child)
            if child.state != STOPPED:
                await child.stopped()
            if count % CHILDREN_PER_PAUSE == 0:
                await asyncio.sleep(0)


def cancel_timers(cell: Cell[Any]) -> None:
    """Cancel what the instance had set."""
    extras = cell.extras
    if extras is not None:
        for timer in list(extras.timers):
            timer.cancel()


async def _cancel(cell: Cell[Any], tasks: list[asyncio.Task[Any]], limit: float) -> None:
    waiting = [task for task in tasks if not task.done()]
    if not waiting:
        return
    for task in waiting:
        task.cancel()
    _, stuck = await asyncio.wait(waiting, timeout=limit)
    for task in stuck:
        cell.system.log.error(
            "task does not end", actor=cell.address, task=task.get_name(), seconds=limit
        )


def _run_stopped(cell: Cell[Any]) -> Awaitable[None] | None:
    try:
        return cell.actor.stopped()
    except Exception as error:  # noqa: BLE001 - the stop goes on whatever it is
        cell.system.report(cell, error, "failed in stopped()")
        return None


async def _bounded(cell: Cell[Any], work: Awaitable[None]) -> None:
    limit = cell.supervision.stop_timeout
    try:
        with anyio.move_on_after(limit) as scope:
            await work
    except Exception as error:  # noqa: BLE001 - the stop goes on whatever it is
        cell.system.report(cell, error, "failed in stopped()")
    if scope.cancelled_caught:
        cell.system.log.error("stopped() took too long", actor=cell.address, seconds=limit)


def _finish(cell: Cell[Any]) -> None:
    cell.state = STOPPED
    _answer_deferred(cell)
    cell.let_go()
    cell.system.forget(cell)
    parent = cell.parent
    if parent is not None and parent.extras is not None:
        siblings = parent.extras.children
        if siblings.get(cell.name) is cell:
            del siblings[cell.name]
    extras = cell.extras
    if extras is not None:
        extras.closing = None
        for future in extras.waiters:
            if not future.done():
                future.set_result(None)
        extras.waiters.clear()
