"""The tables of a SQLite log, and the transactions on them.

Every function here runs in the database's own thread on a plain `sqlite3.Connection`, those that
write within `transact`, so that the event loop pays one hop for a transaction.

Records are stored in *frames*, one row for what one commit wrote: a row for each record would cost
ten times as much, and would make the thread fight for the interpreter lock once per record.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgpack

from actors.log.protocol import Entry, Record

T = TypeVar("T")

APPLICATION_ID = int.from_bytes(b"acLG")
"""Marks the file as an event log, in SQLite's header."""

FORMAT = 1
"""Version of the tables below, in SQLite's ``user_version``. Raise it with every change."""

PAGE_SIZE = 4096
"""Bytes. Larger pages gain nothing for batches and make each single append write more."""

SCHEMA = """
CREATE TABLE frames (
    last INTEGER PRIMARY KEY,      -- sequence of the frame's last record
    first INTEGER NOT NULL,        -- sequence of its first record
    crc INTEGER NOT NULL,          -- CRC-32 of the payload
    payload BLOB NOT NULL          -- msgpack: [keys, data]
) STRICT;
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,   -- the snapshot the chunk belongs to
    crc INTEGER NOT NULL,
    payload BLOB NOT NULL          -- msgpack: [keys, sequences, data]
) STRICT;
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    first_sequence INTEGER NOT NULL,     -- earlier frames are compacted, deleted or not
    generation INTEGER NOT NULL,         -- of the present snapshot, 0: none
    snapshot_sequence INTEGER NOT NULL,
    snapshot_chunks INTEGER NOT NULL     -- how many chunks the present snapshot has
) STRICT;
INSERT INTO state VALUES (1, 1, 0, 0, 0);
"""

Frame = tuple[int, int, int, bytes]
"""A row: last and first sequence, CRC-32 and payload."""

_SMALL_RECORDS, _SMALL_BYTES = 100, 128 * 1024
_FRAME_RECORDS = 2000
_FRAME_BYTES = 1 << 20
_INSERT_FRAME = "INSERT INTO frames (last, first, crc, payload) VALUES (?, ?, ?, ?)"


class DamagedError(Exception):
    """The tables contradict themselves; the text completes ``<path> is damaged: ...``."""


class State(NamedTuple):
    """What a log knows of itself without reading its records."""

    first_sequence: int
    last_sequence: int
    generation: int
    snapshot_sequence: int
    snapshot_chunks: int


def configure(connection: sqlite3.Connection) -> None:
    """Set what a connection must set anew each time it opens the file."""
    # FULL: the WAL is flushed at every commit, so that a commit survives the loss of power.
    connection.execute("PRAGMA synchronous = FULL")
    # A checkpoint writes the pages twice; every 16 MB instead of every 4 MB, more of them are
    # overwritten before they have to be.
    connection.execute("PRAGMA wal_autocheckpoint = 4096")
    connection.execute("PRAGMA cache_size = -8192")
    connection.execute("PRAGMA busy_timeout = 5000")


def transact(
    connection: sqlite3.Connection,
    function: Callable[..., T],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> T:
    """Run ``function`` in a transaction and commit it, or leave nothing of it."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        result = function(connection, *args, **kwargs)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def load_state(connection: sqlite3.Connection) -> State:
    """Read where the log begins and ends."""
    row = connection.execute(
        "SELECT first_sequence, generation, snapshot_sequence, snapshot_chunks FROM state"
    ).fetchone()
    if row is None:
        raise DamagedError("its state record is missing")
    first, generation, snapshot_sequence, chunks = row
    last = connection.execute("SELECT max(last) FROM frames").fetchone()[0] or 0
    return State(first, max(last, first - 1), generation, snapshot_sequence, chunks)


def verify(connection: sqlite3.Connection) -> None:
    """Read everything once and raise `DamagedError` where something is missing or altered.

    Checks sums, not contents: about a second for a gigabyte.
    """
    state = load_state(connection)
    expected = state.first_sequence
    frames = connection.execute(
        "SELECT first, last, crc, payload FROM frames WHERE last >= ? ORDER BY last",
        (state.first_sequence,),
    )
    for first, last, crc, payload in frames:
        if first > expected or last < first or (first < expected != state.first_sequence):
            raise DamagedError(f"records {expected} to {first - 1} are missing or out of order")
        _check(crc, payload, f"records {first} to {last}")
        expected = last + 1
    chunks = 0
    for number, crc, payload in connection.execute(
        "SELECT number, crc, payload FROM chunks WHERE generation = ?", (state.generation,)
    ):
        _check(crc, payload, f"snapshot chunk {number}")
        chunks += 1
    if chunks != state.snapshot_chunks:
        raise DamagedError(f"its snapshot has {chunks} chunks of {state.snapshot_chunks}")


def commit(
    connection: sqlite3.Connection, first: int, keys: Sequence[str], data: Sequence[bytes]
) -> None:
    """Write records with sequences from ``first`` on."""
    frames = list(_frames(first, keys, data))
    for frame in frames:
        connection.execute(_INSERT_FRAME, frame)


def commit_frame(connection: sqlite3.Connection, frame: Frame) -> None:
    """Write one frame durably; not within `transact`, the statement is a transaction of its own.

    Every statement gives the interpreter lock away and waits for it again, behind an event loop
    that may be busy: one takes a third of the time of three.
    """
    connection.execute(_INSERT_FRAME, frame)


def small_frame(first: int, keys: Sequence[str], data: Sequence[bytes]) -> Frame | None:
    """Return the records as one frame, when they are so few that packing them takes no time."""
    if len(data) > _SMALL_RECORDS or sum(map(len, data)) > _SMALL_BYTES:
        return None
    return next(iter(_frames(first, keys, data)))


def read(
    connection: sqlite3.Connection, after: int, limit: int, max_bytes: int
) -> tuple[int, list[Record]]:
    """Return `first_sequence` and records after ``after``: a frame at least, if there is one.

    Stops after ``limit`` records, or when ``max_bytes`` are read.
    """
    first_sequence = connection.execute("SELECT first_sequence FROM state").fetchone()[0]
    records: list[Record] = []
    if after < first_sequence - 1:
        return first_sequence, records
    rows = connection.execute(
        "SELECT first, last, crc, payload FROM frames WHERE last > ? ORDER BY last", (after,)
    )
    size = 0
    for first, last, crc, payload in rows:
        _check(crc, payload, f"records {first} to {last}")
        keys, data = msgpack.unpackb(payload)
        found = list(map(Record, range(first, last + 1), keys, data))
        records += found[after - first + 1 :] if first <= after else found
        size += len(payload)
        if len(records) >= limit or size >= max_bytes:
            del records[limit:]
            break
    rows.close()
    return first_sequence, records


def find_heads(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the last sequence of every key in the snapshot and the history."""
    state = load_state(connection)
    heads: dict[str, int] = {}
    for (payload,) in connection.execute(
        "SELECT payload FROM chunks WHERE generation = ?", (state.generation,)
    ):
        keys, sequences, _ = msgpack.unpackb(payload)
        heads.update(zip(keys, sequences, strict=True))
    for first, last, payload in connection.execute(
        "SELECT first, last, payload FROM frames WHERE last >= ? ORDER BY last",
        (state.first_sequence,),
    ):
        keys, _ = msgpack.unpackb(payload)
        skipped = max(0, state.first_sequence - first)
        heads.update(zip(keys[skipped:], range(first + skipped, last + 1), strict=True))
    return heads


def add_chunk(connection: sqlite3.Connection, generation: int, entries: Sequence[Entry]) -> None:
    """Write a part of a snapshot that nobody sees before `finish_snapshot`."""
    payload = msgpack.packb([[column[i] for column in entries] for i in range(3)])
    connection.execute(
        "INSERT INTO chunks (generation, crc, payload) VALUES (?, ?, ?)",
        (generation, zlib.crc32(payload), payload),
    )


def start_snapshot(connection: sqlite3.Connection, present: int) -> int:
    """Return the generation of a new snapshot, and remove what unfinished ones left."""
    connection.execute("DELETE FROM chunks WHERE generation <> ?", (present,))
    return present + 1


def finish_snapshot(
    connection: sqlite3.Connection, generation: int, sequence: int, chunks: int
) -> None:
    """Make ``generation`` the present snapshot and remove the one before."""
    connection.execute(
        "UPDATE state SET generation = ?, snapshot_sequence = ?, snapshot_chunks = ?",
        (generation, sequence, chunks),
    )
    connection.execute("DELETE FROM chunks WHERE generation <> ?", (generation,))


def read_chunk(
    connection: sqlite3.Connection, generation: int, after: int
) -> tuple[int, list[Entry]] | None:
    """Return the first chunk of a snapshot whose number is above ``after``, with its number."""
    row = connection.execute(
        "SELECT number, crc, payload FROM chunks WHERE generation = ? AND number > ?"
        " ORDER BY number LIMIT 1",
        (generation, after),
    ).fetchone()
    if row is None:
        return None
    number, crc, payload = row
    _check(crc, payload, f"snapshot chunk {number}")
    return number, list(map(Entry, *msgpack.unpackb(payload)))


def start_compaction(connection: sqlite3.Connection, before: int) -> None:
    """Let the history begin at ``before``. This is the compaction; the rest frees the space."""
    connection.execute("UPDATE state SET first_sequence = ?", (before,))


def delete_compacted(connection: sqlite3.Connection, before: int, frames: int) -> bool:
    """Delete up to ``frames`` frames of the compacted history; tell whether any was left."""
    deleted = connection.execute(
        "DELETE FROM frames WHERE last IN"
        " (SELECT last FROM frames WHERE last < ? ORDER BY last LIMIT ?)",
        (before, frames),
    ).rowcount
    return deleted > 0


def _frames(first: int, keys: Sequence[str], data: Sequence[bytes]) -> Iterable[Frame]:
    """Yield rows for the records: as few as keep a frame small enough to read at once."""
    start = size = 0
    for index, item in enumerate(data):
        size += len(item)
        end = index + 1
        if size >= _FRAME_BYTES or end - start >= _FRAME_RECORDS or end == len(data):
            payload = msgpack.packb([keys[start:end], data[start:end]])
            yield first + end - 1, first + start, zlib.crc32(payload), payload
            start, size = end, 0


def _check(crc: int, payload: bytes, what: str) -> None:
    if zlib.crc32(payload) != crc:
        raise DamagedError(f"{what} do not match their checksum")
