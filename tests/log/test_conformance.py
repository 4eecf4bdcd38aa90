"""What every implementation of the log promises. A new one is added in ``conftest.py``."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.log import (
    Append,
    Appended,
    Compacted,
    Conflict,
    EventLog,
    LogClosed,
    MemoryLog,
    Record,
    SqliteLog,
)


async def records(log: EventLog, after: int = 0, limit: int | None = None) -> list[Record]:
    """Read everything at once."""
    return [record async for chunk in log.read(after, limit=limit) for record in chunk]


async def entries(log: EventLog) -> list[tuple[str, int, bytes]] | None:
    """Read the snapshot at once."""
    snapshot = await log.load_snapshot()
    if snapshot is None:
        return None
    return [(e.key, e.sequence, e.data) async for chunk in snapshot.chunks for e in chunk]


async def fill(log: EventLog, count: int) -> None:
    """Append records with keys ``k0``, ``k1``, ..."""
    await log.append([Append(f"k{i}", b"%d" % i) for i in range(count)])


async def test_an_empty_log_has_nothing_and_starts_at_one(log: EventLog) -> None:
    """No records, no snapshot; the first record gets sequence 1."""
    assert (log.first_sequence, log.last_sequence) == (1, 0)
    assert await records(log) == []
    assert await log.load_snapshot() is None
    assert await log.append([]) == []
    assert await log.append([Append("a", b"")]) == [Appended(1)]
    assert await records(log) == [Record(1, "a", b"")]


async def test_sequences_are_contiguous_in_batch_order(log: EventLog) -> None:
    """Batches of concurrent callers stay whole, in the order of the calls."""
    batches = [[Append(f"{i}", b"%d" % n) for n in range(3)] for i in range(50)]
    results = await asyncio.gather(*(log.append(batch) for batch in batches))
    assert [r for result in results for r in result] == [Appended(i) for i in range(1, 151)]
    assert [record.key for record in await records(log)] == [f"{i // 3}" for i in range(150)]
    assert log.last_sequence == 150


class Said:
    """A payload that counts how often it is encoded."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked = 0

    def __bytes__(self) -> bytes:
        self.asked += 1
        return self.data

    def __len__(self) -> int:
        return len(self.data)


async def test_a_deferred_payload_is_read_as_what_it_encodes_to(log: EventLog) -> None:
    """It is encoded once, however often the log is read; in memory not before."""
    said = [Said(b"b"), Said(b"")]
    await log.append([Append("k", b"a"), Append("k", said[0], expected=None), Append("l", said[1])])
    if isinstance(log, MemoryLog):
        assert [each.asked for each in said] == [0, 0]
    for _ in range(2):
        found = await records(log)
        assert found == [Record(1, "k", b"a"), Record(2, "k", b"b"), Record(3, "l", b"")]
        assert all(type(record.data) is bytes for record in found)
    assert [each.asked for each in said] == [1, 1]
    assert await log.append([Append("l", b"", expected=3)]) == [Appended(4)]


async def test_a_conflict_is_a_value_and_takes_no_sequence(log: EventLog) -> None:
    """Others of the batch are written, and later items see earlier ones."""
    await fill(log, 1)
    assert await log.append(
        [
            Append("k0", b"x", expected=0),
            Append("new", b"y", expected=0),
            Append("new", b"z", expected=2),
            Append("new", b"!", expected=2),
            Append("k0", b"w", expected=1),
        ]
    ) == [Conflict("k0", 1), Appended(2), Appended(3), Conflict("new", 3), Appended(4)]
    assert await log.append([Append("k0", b"", expected=1)]) == [Conflict("k0", 4)]
    assert [record.data for record in await records(log, 1)] == [b"y", b"z", b"w"]


async def test_of_concurrent_writers_that_expect_the_same_one_wins(log: EventLog) -> None:
    """The check and the write are one step, also within a shared commit."""
    results = await asyncio.gather(
        *(log.append([Append("k", b"%d" % i, expected=0)]) for i in range(20))
    )
    assert sorted(type(r[0]).__name__ for r in results) == ["Appended"] + ["Conflict"] * 19


async def test_reading_goes_in_chunks_from_anywhere(log: EventLog) -> None:
    """``after`` is exclusive, ``limit`` counts records in all."""
    await fill(log, 5000)
    chunks = [chunk async for chunk in log.read()]
    assert len(chunks) > 1
    assert [r.sequence for chunk in chunks for r in chunk] == list(range(1, 5001))
    assert [r.sequence for r in await records(log, 4997)] == [4998, 4999, 5000]
    assert [r.sequence for r in await records(log, 10, 3)] == [11, 12, 13]
    assert len(await records(log, 10, 3000)) == 3000
    assert await records(log, 5000) == []
    assert await records(log, 9999) == []


async def test_a_subscription_sees_everything_once_in_order(log: EventLog) -> None:
    """What was there, what comes while it waits; it ends when the log closes."""
    await fill(log, 3)
    seen: list[int] = []

    async def follow() -> None:
        async for chunk in log.subscribe(1):
            seen.extend(record.sequence for record in chunk)

    task = asyncio.create_task(follow())
    for _ in range(5):
        await fill(log, 2)
    while len(seen) < 12:
        await asyncio.sleep(0)
    assert seen == list(range(2, 14))
    await log.close()
    await asyncio.wait_for(task, 5)


async def test_compaction_removes_what_a_snapshot_covers(log: EventLog) -> None:
    """Reads from before it are told so; the sequence never goes down."""
    await fill(log, 10)
    await log.snapshot(8, [(f"k{i}", i + 1, b"s") for i in range(8)])
    await log.compact(6)
    assert (log.first_sequence, log.last_sequence) == (6, 10)
    assert [record.sequence for record in await records(log, 5)] == [6, 7, 8, 9, 10]
    with pytest.raises(Compacted, match="history starts at 6"):
        await records(log, 4)
    await log.compact(3)
    assert log.first_sequence == 6
    await log.snapshot(10, [])
    await log.compact(11)
    assert (log.first_sequence, log.last_sequence) == (11, 10)
    assert await records(log, 10) == []
    assert await log.append([Append("k0", b"again", expected=0)]) == [Appended(11)]


async def test_the_head_of_a_key_may_be_in_the_snapshot(log: EventLog) -> None:
    """Expectations hold across compaction; what neither has does not exist."""
    await fill(log, 3)
    await log.snapshot(3, [("k1", 2, b"s")])
    await log.compact(4)
    assert await log.append(
        [
            Append("k1", b"", expected=1),
            Append("k1", b"", expected=2),
            Append("k2", b"", expected=0),
        ]
    ) == [Conflict("k1", 2), Appended(4), Appended(5)]


async def test_compaction_that_would_lose_records_is_refused(log: EventLog) -> None:
    """Nothing goes that no snapshot has; a snapshot is neither of the future nor older."""
    await fill(log, 5)
    with pytest.raises(ValueError, match="no snapshot covers them"):
        await log.compact(2)
    with pytest.raises(ValueError, match="the last record is 5"):
        await log.snapshot(6, [])
    await log.snapshot(3, [])
    with pytest.raises(ValueError, match="older than the present one"):
        await log.snapshot(2, [])
    with pytest.raises(ValueError, match="no snapshot covers them"):
        await log.compact(5)
    await log.compact(4)
    assert len(await records(log, 3)) == 2


async def test_a_snapshot_replaces_the_one_before_at_once(log: EventLog) -> None:
    """Large ones too; a reader of the old one is told."""
    await fill(log, 2)
    many = [(f"k{i}", 1, b"x" * 100) for i in range(3000)]
    await log.snapshot(1, many)
    assert await entries(log) == many
    old = await log.load_snapshot()
    assert old is not None
    await anext(old.chunks)
    await log.snapshot(2, [("k", 2, b"new")])
    assert await entries(log) == [("k", 2, b"new")]
    with pytest.raises(Compacted):
        await anext(old.chunks)


async def test_a_snapshot_whose_entries_fail_changes_nothing(log: EventLog) -> None:
    """An error halfway leaves the snapshot before in place."""
    await fill(log, 2)
    await log.snapshot(1, [("old", 1, b"")])

    def failing() -> Any:
        yield from ((f"k{i}", 1, b"") for i in range(1500))
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError):
        await log.snapshot(2, failing())
    assert await entries(log) == [("old", 1, b"")]
    await log.snapshot(2, [("new", 2, b"")])
    assert await entries(log) == [("new", 2, b"")]


async def test_appends_go_on_during_a_snapshot(log: EventLog) -> None:
    """Neither waits for all of the other."""
    await fill(log, 10)
    large = [(f"k{i}", 1, b"x") for i in range(5000)]
    await asyncio.gather(log.snapshot(10, large), *(fill(log, 1) for _ in range(20)))
    assert log.last_sequence == 30
    assert await entries(log) == large


async def test_a_closed_log_says_so(log: EventLog) -> None:
    """Closing twice does nothing, all else is refused."""
    await log.close()
    await log.close()
    with pytest.raises(LogClosed):
        await log.append([Append("a", b"")])
    with pytest.raises(LogClosed):
        await records(log)
    with pytest.raises(LogClosed):
        await log.load_snapshot()


async def test_a_cancelled_append_harms_nobody(log: EventLog) -> None:
    """Its batch may be there; those beside it get their answers."""
    first = asyncio.create_task(log.append([Append("a", b"")]))
    second = asyncio.create_task(log.append([Append("b", b"")]))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert [record.key for record in await records(log)][-1] == "b"


KEYS = st.sampled_from(["a", "b", "namespaces/ü/ç"])
ITEMS = st.builds(Append, KEYS, st.binary(max_size=4), st.one_of(st.none(), st.integers(0, 12)))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(ITEMS, max_size=4)),
        st.tuples(st.just("snapshot"), st.integers(0, 15)),
        st.tuples(st.just("compact"), st.integers(0, 15)),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=12,
)


async def state(log: EventLog) -> Any:
    """Everything that can be seen of a log."""
    return (
        log.first_sequence,
        log.last_sequence,
        await records(log, log.first_sequence - 1),
        await entries(log),
    )


async def apply(log: EventLog, what: str, value: Any) -> Any:
    """Do one step and return what the caller gets to see."""
    try:
        match what:
            case "append":
                return await log.append(value)
            case "snapshot":
                return await log.snapshot(value, [("a", min(value, 1), b"%d" % value)])
            case _:
                return await log.compact(value)
    except ValueError as error:
        return str(error)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example has a directory
)
@given(steps=STEPS)
def test_sqlite_does_what_memory_does(
    steps: list[tuple[str, Any]],
    tmp_path: Path,
) -> None:
    """Same results and same contents after any history, closed and opened in between."""

    async def compare() -> None:
        path = Path(tempfile.mkdtemp(dir=tmp_path)) / "log"
        memory, sqlite = MemoryLog(), await SqliteLog.open(path)
        try:
            for what, value in steps:
                if what == "reopen":
                    await sqlite.close()
                    sqlite = await SqliteLog.open(path)
                else:
                    assert await apply(sqlite, what, value) == await apply(memory, what, value)
                assert await state(sqlite) == await state(memory)
        finally:
            await sqlite.close()

    asyncio.run(compare())
