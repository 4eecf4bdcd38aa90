"""The queue of dirty keys."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.controllers._queue import BASE_DELAY, MAX_DELAY, WorkQueue


def test_a_key_waits_once_and_in_order() -> None:
    """Marking again what waits changes nothing."""
    queue: WorkQueue[str] = WorkQueue()
    for key in "abab":
        queue.mark(key)
    assert [queue.take(), queue.take()] == ["a", "b"]
    with pytest.raises(IndexError):
        queue.take()


def test_a_key_in_work_waits_until_it_is_done() -> None:
    """One key is never in work twice."""
    queue: WorkQueue[str] = WorkQueue()
    queue.mark("a")
    queue.take()
    queue.mark("a")
    assert not queue
    queue.finish("a")
    assert queue.take() == "a"


def test_failures_double_the_delay_up_to_a_limit() -> None:
    """5 ms, 10 ms, 20 ms ... 1000 s, and back to 5 ms after a success."""
    queue: WorkQueue[str] = WorkQueue()

    def fail() -> Any:
        queue.mark("a")
        queue.take()
        return queue.failed("a", 0.0)

    delays = [fail() for _ in range(20)]
    assert delays[:3] == [BASE_DELAY, 2 * BASE_DELAY, 4 * BASE_DELAY]
    assert delays[-1] == MAX_DELAY
    queue.forget("a")
    assert fail() == BASE_DELAY


def test_the_earliest_of_several_timers_wins() -> None:
    """A later one for the same key is forgotten."""
    queue: WorkQueue[str] = WorkQueue()
    queue.after("a", 10.0)
    queue.after("a", 5.0)
    queue.after("a", 7.0)
    queue.after("b", 6.0)
    assert queue.next_due() == 5.0
    queue.mark_due(6.0)
    assert [queue.take(), queue.take()] == ["a", "b"]
    queue.mark_due(20.0)
    assert not queue
    assert queue.next_due() is None


def test_a_key_whose_object_is_gone_keeps_no_timer() -> None:
    """It is looked at once more, and what was due in years is not held until then."""
    queue: WorkQueue[int] = WorkQueue()
    for key in range(5000):
        queue.after(key, 1e9 + key)
    for key in range(1, 5000):
        queue.hasten(key)
        assert queue.take() == key
        queue.finish(key)
    queue.hasten("no key of this queue")
    assert not queue
    assert queue.timers < 100
    assert queue.next_due() == 1e9


def test_timers_that_were_brought_forward_do_not_pile_up() -> None:
    """A key has one timer that counts; the heap is swept of the others."""
    queue: WorkQueue[str] = WorkQueue()
    for turn in range(5000):
        queue.after("a", 10_000.0 - turn)
    assert queue.timers < 100
    queue.mark_due(5_001.0)
    assert queue.take() == "a"
    assert queue.next_due() is None
