"""The durable log: one SQLite file, written by one process, flushed at every commit."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeAlias, TypeVar

import aiosqlite

from actors.log import _database, _files, _planning
from actors.log._tail import Tail
from actors.log.errors import (
    Compacted,
    LogClosed,
    LogCorrupt,
    LogError,
    LogFailed,
    LogFull,
    LogLocked,
)
from actors.log.protocol import Append, Appended, Conflict, Entry, Record, Snapshot

P = ParamSpec("P")
T = TypeVar("T")
_Answer: TypeAlias = asyncio.Future[list[Appended | Conflict]]
_Group: TypeAlias = list[tuple[Sequence[Append], _Answer]]

_READ_RECORDS = 2000
_READ_BYTES = 1 << 20
_COMMIT_RECORDS = 10_000
_SNAPSHOT_ENTRIES = 500
_COMPACT_FRAMES = 64


class SqliteLog:
    """An `EventLog` in a SQLite file: write-ahead log, ``synchronous=FULL``, group commit.

    An append returns when its commit is flushed to disk. Batches that arrive while a commit runs
    are written together by the next one; nobody ever waits for a batch to fill. The database has
    a thread of its own, so the event loop goes on meanwhile.
    """

    def __init__(self, path: Path, lock: _files.FileLock, connection: aiosqlite.Connection) -> None:
        """For `open`, which checks what it hands over."""
        self.path = path
        self._lock = lock
        self._connection = connection
        self._raw: sqlite3.Connection = connection._conn  # noqa: SLF001  (see _run)
        self._state = _database.State(1, 0, 0, 0, 0)
        self._heads: dict[str, int] | None = None  # built when somebody first expects something
        self._queue: _Group = []
        self._writer: asyncio.Task[None] | None = None
        self._maintenance = asyncio.Lock()
        self._tail = Tail()
        self._failure: str | None = None
        self._closed = False

    @classmethod
    async def open(
        cls, path: Path | str, *, connect: type[sqlite3.Connection] | None = None
    ) -> Self:
        """Open the log at ``path``, or create an empty one; its directory must exist.

        All of the file is checked first. When it is refused, neither it nor its siblings were
        altered.

        Args:
            path: The database file; SQLite keeps ``-wal`` and ``-shm`` files beside it, and the
                log a ``.lock`` file.
            connect: The connection class to use, for tests that let the disk fail.

        Raises:
            LogLocked: Another log, in this process or another, has the file open.
            LogCorrupt: The file is truncated or damaged.
            LogFormat: The file belongs to another program or to a newer version.
            LogError: The file may not be written.
        """
        path = Path(path)
        if _files.inspect(path):  # before a lock file is put beside something that is not ours
            _files.check_writable(path)
        try:
            lock = _files.FileLock(path)
        except FileNotFoundError:
            raise LogError(
                f"{path.parent} does not exist: create the directory first", path=path
            ) from None
        except OSError as error:
            raise LogError(f"{path} cannot be locked: {error}", path=path) from error
        try:
            await asyncio.to_thread(_prepare, path)
            with _translated(path):
                connection = await aiosqlite.connect(
                    path, isolation_level=None, factory=connect or sqlite3.Connection
                )
            log = cls(path, lock, connection)
            try:
                await log._run(_database.configure)
                log._state = await log._run(_database.load_state)
            except BaseException:
                await connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        return log

    @property
    def last_sequence(self) -> int:
        """The sequence of the last durable record, 0 before the first."""
        return self._state.last_sequence

    @property
    def first_sequence(self) -> int:
        """The first sequence in the history."""
        return self._state.first_sequence

    async def append(self, batch: Sequence[Append]) -> list[Appended | Conflict]:
        """Append the batch durably; see `EventLog.append`."""
        self._check_open()
        if self._failure is not None:
            raise LogFailed(self._failure, path=self.path)
        future: _Answer = asyncio.get_running_loop().create_future()
        self._queue.append((batch, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name=f"log {self.path}")
        return await future

    async def read(
        self, after: int = 0, *, limit: int | None = None
    ) -> AsyncIterator[list[Record]]:
        """Yield the records after ``after`` in chunks; see `EventLog.read`."""
        remaining = sys.maxsize if limit is None else limit
        while remaining > 0:
            self._check_open()
            size = min(_READ_RECORDS, remaining)
            first, records = await self._run(_database.read, after, size, _READ_BYTES)
            if after < first - 1:
                raise Compacted(after, first, path=self.path)
            if not records:
                return
            yield records
            after = records[-1].sequence
            remaining -= len(records)

    async def subscribe(self, after: int) -> AsyncIterator[list[Record]]:
        """Yield the records after ``after``, then every later one; see `EventLog.subscribe`."""
        with contextlib.suppress(LogClosed):
            while not self._closed:
                if after >= self.last_sequence:
                    await self._tail.wait_growth()
                    continue
                async for chunk in self.read(after):
                    yield chunk
                    after = chunk[-1].sequence

    async def snapshot(self, sequence: int, entries: Iterable[tuple[str, int, bytes]]) -> None:
        """Replace the snapshot; see `EventLog.snapshot`. Appends go on between its chunks."""
        self._check_open()
        async with self._maintenance:
            state = self._state
            present = state.snapshot_sequence if state.generation else None
            _planning.check_snapshot(sequence, state.last_sequence, present)
            generation = await self._transact(_database.start_snapshot, state.generation)
            chunks = 0
            rest = itertools.starmap(Entry, entries)
            while chunk := list(itertools.islice(rest, _SNAPSHOT_ENTRIES)):
                await self._transact(_database.add_chunk, generation, chunk)
                chunks += 1
            await self._transact(_database.finish_snapshot, generation, sequence, chunks)
            self._state = self._state._replace(
                generation=generation, snapshot_sequence=sequence, snapshot_chunks=chunks
            )
            self._heads = None

    async def load_snapshot(self) -> Snapshot | None:
        """Return the snapshot, or None; see `EventLog.load_snapshot`."""
        self._check_open()
        if not self._state.generation:
            return None
        return Snapshot(self._state.snapshot_sequence, self._snapshot_chunks(self._state))

    async def compact(self, before: int) -> None:
        """Remove the history before ``before``; see `EventLog.compact`.

        The space is freed for later records; the file does not shrink.
        """
        self._check_open()
        async with self._maintenance:
            state = self._state
            if before <= state.first_sequence:
                return
            covered = state.snapshot_sequence if state.generation else None
            _planning.check_compaction(before, covered)
            await self._transact(_database.start_compaction, before)
            self._state = self._state._replace(first_sequence=before)
            self._heads = None
            while await self._transact(_database.delete_compacted, before, _COMPACT_FRAMES):
                pass

    async def close(self) -> None:
        """Finish the appends under way, end subscriptions and release the file."""
        if self._closed:
            return
        self._closed = True
        self._tail.wake()
        if self._writer is not None:
            await self._writer
        try:
            await self._connection.close()
        finally:
            self._lock.release()

    async def _write(self) -> None:
        """Commit what has queued until nothing has."""
        abandoned = LogClosed(f"the log {self.path} was abandoned by its owner", path=self.path)
        try:
            while self._queue:
                taken = records = 0
                for batch, _ in self._queue:
                    taken += 1
                    records += len(batch)
                    if records >= _COMMIT_RECORDS:
                        break
                group, self._queue = self._queue[:taken], self._queue[taken:]
                try:
                    await self._commit(group)
                except LogError as error:
                    _fail(group, error)
                finally:
                    _fail(group, abandoned)  # those who have no answer yet: this task was cancelled
        finally:
            self._writer = None
            _fail(self._queue, abandoned)

    async def _commit(self, group: _Group) -> None:
        """Write one group in one transaction and answer its callers."""
        if self._failure is not None:
            raise LogFailed(self._failure, path=self.path)
        items = group[0][0] if len(group) == 1 else [item for batch, _ in group for item in batch]
        if self._heads is None and _planning.needs_heads(items):
            self._heads = await self._run(_database.find_heads)
        last = self._state.last_sequence
        plan = _planning.plan_appends(items, last, self._heads or {})
        if plan.keys:
            data = list(map(bytes, plan.data))
            frame = _database.small_frame(last + 1, plan.keys, data)
            if frame is not None:
                await self._durably(_database.commit_frame, frame)
            else:
                await self._transact(_database.commit, last + 1, plan.keys, data)
            end = last + len(plan.keys)
            if self._heads is not None:
                self._heads.update(zip(plan.keys, range(last + 1, end + 1), strict=True))
            self._state = self._state._replace(last_sequence=end)
        start = 0
        for batch, future in group:
            if not future.done():
                future.set_result(plan.results[start : start + len(batch)])
            start += len(batch)
        self._tail.wake()

    async def _snapshot_chunks(self, state: _database.State) -> AsyncIterator[list[Entry]]:
        number = 0
        for _ in range(state.snapshot_chunks):
            found = await self._run(_database.read_chunk, state.generation, number)
            if found is None:
                raise Compacted(state.snapshot_sequence, self.first_sequence, path=self.path)
            number, entries = found
            yield entries

    async def _transact(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run ``function`` as one transaction: all it wrote is durable on return, or nothing is."""
        return await self._durably(_database.transact, function, args, kwargs)

    async def _durably(
        self,
        transaction: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a whole transaction; after one of which the outcome is not known, no more."""
        if self._failure is not None:
            raise LogFailed(self._failure, path=self.path)
        try:
            return await self._run(transaction, *args, **kwargs)
        except (LogFull, LogLocked, LogClosed):
            raise
        except LogError as error:
            # A flush that failed may have reached the disk or not, and trying again proves
            # nothing: the kernel forgets a failed flush. Only reading the file anew tells.
            self._failure = (
                f"writing to {self.path} failed, whether the last batch is in it is not known "
                f"({error}); check the disk, then open the log again"
            )
            raise LogFailed(self._failure, path=self.path) from error

    async def _run(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run ``function`` on the connection in its thread, in one hop.

        aiosqlite's public methods take one statement a hop, which would cost a commit four of
        them: at 60 microseconds each, nearly as much as the commit itself.
        """
        with _translated(self.path):
            try:
                result: T = await self._connection._execute(  # type: ignore[no-untyped-call]  # noqa: SLF001
                    function, self._raw, *args, **kwargs
                )
            except (ValueError, sqlite3.ProgrammingError):
                self._check_open()  # it was closed while this call was on its way
                raise
            return result

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed(f"the log {self.path} is closed; open it again", path=self.path)


def _prepare(path: Path) -> None:
    """Check the log at ``path``, or create it; with the lock held."""
    if _files.inspect(path):
        _files.verify(path)
        return
    try:
        with _translated(path):
            _files.create(path)
    except OSError as error:
        raise LogError(f"{path} cannot be created: {error}", path=path) from error


def _fail(group: _Group, error: LogError) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as the log's own, which say what to do."""
    try:
        yield
    except _database.DamagedError as error:
        raise LogCorrupt(
            f"{path} is damaged: {error}; restore it from a backup", path=path
        ) from error
    except sqlite3.Error as error:
        # Codes are extended: the low byte is the kind of error.
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_FULL:
                raise LogFull(
                    f"{path}: the disk is full, nothing was written; free some space and try again",
                    path=path,
                ) from error
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                raise LogLocked(
                    f"{path} is locked by another program, nothing was written; close the "
                    "program that has the file open and try again",
                    path=path,
                ) from error
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                raise LogCorrupt(
                    f"{path} is damaged: {error}; restore it from a backup", path=path
                ) from error
            case _:
                raise LogError(f"{path}: {error}", path=path) from error
