"""How an actor starts, fails, restarts and stops.

A stop goes from the leaves to the root: the current message ends, children stop in the reverse
order of their start, timers and jobs are cancelled, ``stopped`` runs, and each step has a
deadline. Where nothing has to be waited for, all of it happens on the spot, without a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

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
    from actors._cells import Cell

CHILDREN_PER_PAUSE = 1000
"""Children stopped on the spot before other work on the loop gets a chance."""


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
        for one in reversed(group):
            _begin_restart(one, now, decision.delay)
        return
    parent = cell.parent
    request_stop(cell)
    if decision.verdict is Verdict.ESCALATE:
        cause = error if error is not None else ActorStopped(f"{cell.address} kept stopping")
        if parent is None or parent.parent is None:
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
    if not running or (cell.extras is not None and cell.extras.task is not None):
        cell.system.schedule(cell)


def _begin_restart(cell: Cell[Any], now: float, delay: float) -> None:
    extras = cell.rare()
    cell.state = RESTARTING
    extras.restart_count += 1
    period = cell.supervision.period
    extras.restart_times = [at for at in extras.restart_times if now - at < period]
    extras.restart_times.append(now)
    cell.system.restarts += 1
    extras.restart_delay = delay
    extras.closing = cell.system.create_task(_restart(cell), cell)


async def _restart(cell: Cell[Any]) -> None:
    extras = cell.rare()
    await _release(cell)
    extras.closing = None
    if cell.state != RESTARTING:
        return
    extras.restart_timer = cell.system.clock.call_later(extras.restart_delay, _revive, cell)


def _revive(cell: Cell[Any]) -> None:
    cell.rare().restart_timer = None
    if cell.state != RESTARTING:
        return
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
    extras = cell.extras
    for message in queue or ():
        cell.drop(message, "stopped")
    if extras is None:
        result = _run_stopped(cell)
        if result is None:
            _finish(cell)
            return
        cell.rare().closing = cell.system.create_task(_close(cell, result), cell)
        return
    while extras.senders:
        message, future = extras.senders.popleft()
        if not future.done():
            future.set_exception(ActorStopped(f"{cell.address} stopped before there was room"))
    if extras.restart_timer is not None:
        extras.restart_timer.cancel()
        extras.restart_timer = None
        cancel_timers(cell)
        _finish(cell)  # the old instance has been released already
        return
    cell.rare().closing = cell.system.create_task(_close(cell, None, extras.closing), cell)


async def _close(
    cell: Cell[Any],
    stopped: Awaitable[None] | None,
    before: asyncio.Task[None] | None = None,
) -> None:
    try:
        if before is not None:  # a restart had begun to release
            await asyncio.wait([before], timeout=cell.supervision.stop_timeout * 4)
        elif stopped is not None:
            await _bounded(cell, stopped)
        else:
            await _release(cell)
    finally:
        _finish(cell)


async def _release(cell: Cell[Any]) -> None:
    """Take back everything the instance has, from the leaves up."""
    extras = cell.rare()
    limit = cell.supervision.stop_timeout
    cancel_timers(cell)
    task = extras.task
    if task is not None and task is not asyncio.current_task():
        if cell.state == CLOSING:
            await asyncio.wait([task], timeout=limit)
        await _cancel(cell, [task], limit)
    await stop_children(cell)
    await _cancel(cell, [job.task for job in extras.jobs], limit)
    extras.jobs.clear()
    result = _run_stopped(cell)
    if result is not None:
        await _bounded(cell, result)
    cancel_timers(cell)
    for envelope in extras.deferred:
        envelope.fail(ActorStopped(f"{cell.address} stopped before it answered"))
    extras.deferred.clear()


async def stop_children(cell: Cell[Any]) -> None:
    """Stop all children, the youngest first, each before the next one."""
    children = cell.rare().children
    count = 0
    while children:
        child = next(reversed(children.values()))
        request_stop(child)
        if child.state == STOPPING and child.current is None:
            close(child)
        if child.state != STOPPED:
            await child.stopped()
        count += 1
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
