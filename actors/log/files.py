"""SQLite logs as files: read one that may be in use, write one as a copy of another log.

Nothing here needs an event loop. Reading changes none of the log's files.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from actors.log import _database, _files
from actors.log.errors import LogCorrupt, LogError
from actors.log.protocol import Entry, Record

_ENTRIES = 500
_RECORDS = 2000
_BYTES = 1 << 20


class LogReader:
    """A log as it stood at one moment; made by `open_log`.

    Attributes:
        path: The file.
        first_sequence: The first sequence in the history.
        last_sequence: The last one, of the snapshot where there is no history.
        snapshot_sequence: Of the snapshot; 0 where there is none.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """For `open_log`."""
        self.path = path
        self._connection = connection
        self._state = state = _database.load_state(connection)
        self.first_sequence = state.first_sequence
        self.snapshot_sequence = state.snapshot_sequence if state.generation else 0
        self.last_sequence = max(state.last_sequence, self.snapshot_sequence)

    def entries(self) -> Iterator[list[Entry]]:
        """Yield the snapshot, some entries at a time.

        Raises:
            LogCorrupt: It cannot be read as it was written.
        """
        number = -1
        with translated(self.path):
            while self._state.generation:
                chunk = _database.read_chunk(self._connection, self._state.generation, number)
                if chunk is None:
                    return
                number, entries = chunk
                yield entries

    def records(self, after: int) -> Iterator[list[Record]]:
        """Yield the records with a greater sequence than ``after``, some at a time.

        Raises:
            LogCorrupt: A record cannot be read as it was written.
        """
        with translated(self.path):
            while True:
                _, records = _database.read(self._connection, after, _RECORDS, _BYTES)
                if not records:
                    return
                yield records
                after = records[-1].sequence


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[LogReader]:
    """Open a log to read it, also one that a running process writes to.

    Raises:
        LogCorrupt: The file is truncated or damaged.
        LogFormat: The file belongs to another program or to a newer version.
        LogError: There is no such file, or it may not be read.
    """
    if path.is_dir():
        raise LogError(f"{path} is a directory, not an event log", path=path)
    if not _files.inspect(path):
        raise LogError(f"there is no event log at {path}", path=path)
    with contextlib.ExitStack() as stack:
        with translated(path):
            connection = _connect(path, stack)
            stack.callback(connection.close)
            connection.execute("BEGIN")  # all that is read is of one moment
            reader = LogReader(path, connection)
        yield reader


def _connect(path: Path, stack: contextlib.ExitStack) -> sqlite3.Connection:
    """Open a database such that its write-ahead log counts, and nothing is written."""
    wal = _files.beside(path, "-wal")
    if wal.exists() and wal.stat().st_size:
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        try:
            connection.execute("SELECT count(*) FROM state").fetchone()
        except sqlite3.OperationalError:  # a directory where no index can be made
            connection.close()
        else:
            return connection
    address = stack.enter_context(_files.readable(path))
    return sqlite3.connect(address, uri=True, isolation_level=None)


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Say of a database's errors what they mean for a log."""
    try:
        yield
    except _database.DamagedError as error:
        raise LogCorrupt(
            f"{path} is damaged: {error}; restore it from a backup", path=path
        ) from error
    except sqlite3.Error as error:
        raise LogError(f"{path} cannot be read: {error}", path=path) from error


def write_log(
    path: Path,
    first: int,
    records: Sequence[Record],
    entries: Iterable[tuple[str, int, bytes]] = (),
) -> None:
    """Write a log; it is there whole or not at all, and replaces one that was there.

    Args:
        path: The file; its directory must exist.
        first: The sequence of the first record, or of the next one where there is none.
        records: With contiguous sequences.
        entries: The state before ``first``, as for `EventLog.snapshot`; none for 1.

    Raises:
        LogLocked: There is a log which somebody has open.
        LogFormat: There is a file of something else, which is left alone.
        LogError: It cannot be written.
    """
    lock = _files.FileLock(path) if _files.inspect(path) else None
    draft = _files.beside(path, ".draft")
    try:
        draft.unlink(missing_ok=True)
        _files.create(draft)
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            _database.transact(connection, _fill, (first, records, entries), {})
        draft.replace(path)
    except (OSError, sqlite3.Error) as error:
        draft.unlink(missing_ok=True)
        raise LogError(f"{path} cannot be written: {error}", path=path) from error
    finally:
        if lock is not None:
            lock.release()


def _fill(
    connection: sqlite3.Connection,
    first: int,
    records: Sequence[Record],
    entries: Iterable[tuple[str, int, bytes]],
) -> None:
    if first > 1:
        generation = _database.start_snapshot(connection, 0)
        rest = itertools.starmap(Entry, entries)
        chunks = 0
        while chunk := list(itertools.islice(rest, _ENTRIES)):
            _database.add_chunk(connection, generation, chunk)
            chunks += 1
        _database.finish_snapshot(connection, generation, first - 1, chunks)
        _database.start_compaction(connection, first)
    if records:
        keys, data = [item.key for item in records], [item.data for item in records]
        _database.commit(connection, first, keys, data)
