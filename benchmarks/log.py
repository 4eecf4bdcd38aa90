"""How fast the durable log appends and replays, beside bare SQLite with the same settings.

    python benchmarks/log.py [--json] [--tiny]

Records of 256 bytes; SQLite in WAL mode with synchronous=FULL, so every commit waits for the disk.
The loop beside it is the standard library's sqlite3, one row and one commit at a time, with no
thread and no event loop; both alternate in short rounds, so that a disk that changes its mind
meets both. Before a rate is reported, what was written is counted in the file.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors.log import Append, MemoryLog, SqliteLog
from benchmarks._report import Report, options, show

SIZE = 256
BATCH = 1000
CALLERS = 100


def items(first: int, count: int) -> list[Append]:
    """Make records of a common size, under a thousand keys."""
    data = b"x" * SIZE
    return [Append(f"pods/default/web-{(first + i) % 1000}", data) for i in range(count)]


async def measure_batches(log: SqliteLog | MemoryLog, events: int) -> float:
    """Append in batches, one after another; return records per second."""
    batches = [items(first, BATCH) for first in range(0, events, BATCH)]
    before = log.last_sequence
    start = time.perf_counter()
    for batch in batches:
        await log.append(batch)
    seconds = time.perf_counter() - start
    assert log.last_sequence - before == events
    return events / seconds


async def measure_shared(log: SqliteLog, events: int) -> float:
    """Append one at a time from many callers that share commits; return records per second."""

    async def caller(count: int) -> None:
        for item in items(0, count):
            await log.append([item])

    before = log.last_sequence
    start = time.perf_counter()
    await asyncio.gather(*(caller(events // CALLERS) for _ in range(CALLERS)))
    seconds = time.perf_counter() - start
    assert log.last_sequence - before == events // CALLERS * CALLERS
    return events / seconds


async def measure_single(
    log: SqliteLog, bare: sqlite3.Connection, events: int
) -> tuple[float, float]:
    """Append one at a time, to the log and to bare SQLite in turns; return both rates."""
    ours = theirs = 0.0
    rounds = 10
    each = events // rounds
    before = log.last_sequence
    for _ in range(rounds):
        batch = items(0, each)
        start = time.perf_counter()
        for item in batch:
            await log.append([item])
        ours += time.perf_counter() - start
        start = time.perf_counter()
        for item in batch:
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO events (key, data) VALUES (?, ?)", (item.key, item.data))
            bare.execute("COMMIT")
        theirs += time.perf_counter() - start
    assert log.last_sequence - before == each * rounds
    assert bare.execute("SELECT count(*) FROM events").fetchone()[0] == each * rounds
    return each * rounds / ours, each * rounds / theirs


def open_bare(path: Path) -> sqlite3.Connection:
    """Open SQLite with the log's settings."""
    bare = sqlite3.connect(path, isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute("PRAGMA wal_autocheckpoint = 4096")
    bare.execute("CREATE TABLE events (sequence INTEGER PRIMARY KEY, key TEXT, data BLOB)")
    return bare


async def measure_replay(path: Path, events: int) -> tuple[float, float]:
    """Open the log and read it all; return records per second of reading, and seconds to open."""
    start = time.perf_counter()
    log = await SqliteLog.open(path)
    opened = time.perf_counter() - start
    start = time.perf_counter()
    count = 0
    async for chunk in log.read():
        count += len(chunk)
    seconds = time.perf_counter() - start
    await log.close()
    assert count == events
    return events / seconds, opened


async def run(report: Report, events: int) -> None:
    """Measure everything into ``report``."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        log = await SqliteLog.open(path)
        await measure_batches(log, BATCH)  # the first batch pays for the file's first pages
        batches = await measure_batches(log, events)
        await log.close()
        replayed, opened = await measure_replay(path, events + BATCH)

        log = await SqliteLog.open(Path(directory) / "single")
        bare = open_bare(Path(directory) / "bare")
        single, plain = await measure_single(log, bare, max(50, events // 100))
        shared = await measure_shared(log, max(CALLERS, events // 20))
        bare.close()
        await log.close()
    memory = await measure_batches(MemoryLog(), events)
    loose = report.tiny  # a handful of records says nothing about speed
    report.add(
        "durable appends, batches of 1,000", batches, "events/s", target=None if loose else 100_000
    )
    report.add("durable appends, one at a time", single, "events/s")
    report.add("bare sqlite3, one at a time", plain, "events/s")
    report.add(
        "one at a time / bare sqlite3", single / plain, "ratio", target=None if loose else 0.6
    )
    report.add("100 callers, one at a time each", shared, "events/s", note="they share commits")
    report.add("replayed", replayed, "events/s", target=None if loose else 200_000)
    report.add("opening and checking it", opened, "s", note=f"{events + BATCH:,} events")
    report.add("in memory, batches of 1,000", memory, "events/s")


def main() -> None:
    """Run from the command line."""
    arguments = options(__doc__ or "").parse_args()
    report = Report(benchmark="log", tiny=arguments.tiny)
    asyncio.run(run(report, 2000 if arguments.tiny else 200_000))
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
