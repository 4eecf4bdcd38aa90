"""Logs in memory: entries as in a kubelet's files, within bounds."""

from __future__ import annotations

import asyncio

from orchestrator.node.simulated_logs import MemoryCursor, MemoryLog

NOW = 1_767_225_600.25
HEAD = b"2026-01-01T00:00:00.250000000Z"


def test_each_line_is_an_entry_with_time_and_stream() -> None:
    """As container runtimes write them."""
    log = MemoryLog()
    log.write("one\ntwo\n", NOW)
    log.write("", NOW, "stderr")
    assert MemoryCursor(log).read() == [
        HEAD + b" stdout F one",
        HEAD + b" stdout F two",
        HEAD + b" stderr F ",
    ]


def test_a_long_line_is_in_parts() -> None:
    """Of 16 KiB."""
    log = MemoryLog()
    log.write("x" * 20_000, NOW)
    first, last = MemoryCursor(log).read()
    assert first == HEAD + b" stdout P " + b"x" * 16_384
    assert last == HEAD + b" stdout F " + b"x" * 3_616


def test_a_reader_that_is_too_slow_goes_on_with_the_oldest_that_is_left() -> None:
    """And the tail is counted from the end."""
    log = MemoryLog(limit=200)
    cursor = MemoryCursor(log)
    log.write("0", NOW)
    assert len(cursor.read()) == 1
    for number in range(1, 10):
        log.write(str(number), NOW)
    left = [entry.rpartition(b" ")[2] for entry in cursor.read()]
    assert left == [b"6", b"7", b"8", b"9"]
    cursor.seek_tail(2)
    assert [entry.rpartition(b" ")[2] for entry in cursor.read()] == [b"8", b"9"]
    assert cursor.read() == []
    assert log.last_words() == "6\n7\n8\n9\n"


async def test_a_reader_at_the_end_is_woken_by_the_next_line() -> None:
    """And by the end of the container, which wakes it too."""
    log = MemoryLog()
    cursor = MemoryCursor(log)
    waiting = asyncio.ensure_future(cursor.wait_more())
    await asyncio.sleep(0)
    assert not waiting.done()
    log.write("news", NOW)
    await waiting
    assert len(cursor.read()) == 1
    waiting = asyncio.ensure_future(cursor.wait_more())
    await asyncio.sleep(0)
    log.wake()
    await waiting
    assert cursor.read() == []
