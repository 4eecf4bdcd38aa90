"""The files of a SQLite log: who may open them, and whether they are what they should be.

Opening a damaged database can alter it (SQLite replays and truncates its write-ahead log), so
everything is checked first on bytes and on read-only copies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from actors.log import _database
from actors.log.errors import LogCorrupt, LogError, LogFormat, LogLocked

_MAGIC = b"SQLite format 3\0"
_LEFT = "nothing was changed"
_RESTORE = "it was left as it is; restore it from a backup, or move it away to start empty"


def beside(path: Path, suffix: str) -> Path:
    """Return the sibling of ``path`` that SQLite or this module names with ``suffix``."""
    return path.with_name(path.name + suffix)


class FileLock:
    """The right to open a log, held through a file beside it until `release`.

    The lock is the kernel's and ends with the process, however that ends; the file stays.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock of the log at ``path``, at once or not at all.

        Raises:
            LogLocked: Another process, or another log in this one, has it.
        """
        lock = beside(path, ".lock")
        # A descriptor that exec closes: a child must not hold the log after its parent.
        self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).strip().decode("ascii", "replace")
            os.close(self._descriptor)
            if not isinstance(error, BlockingIOError):
                raise LogError(f"{lock} cannot be locked: {error}", path=path) from error
            pid = int(holder) if holder.isdecimal() else None
            who = f"process {pid}" if pid else "another process"
            what = "which is this one: close it there" if pid == os.getpid() else "stop it"
            raise LogLocked(
                f"{path} is in use by {who}; {what} first, or choose another place",
                path=path,
                pid=pid,
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back. Releasing twice does nothing."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def check_writable(path: Path) -> None:
    """Open the log at ``path`` for writing, and leave it at that.

    Raises:
        LogError: It may not be written: its owner, its mode or its file system say so.
    """
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError as error:
        raise LogError(
            f"{path} cannot be written: {error.strerror}; check its owner, its mode and whether "
            "its file system is mounted read-only",
            path=path,
        ) from error


def inspect(path: Path) -> bool:
    """Check the header of the log at ``path`` by reading it; return whether there is one.

    Raises:
        LogCorrupt: The file is truncated, or gone while its write-ahead log is still there.
        LogFormat: Another program's file, or a newer version's.
    """
    wal = beside(path, "-wal")
    try:
        with path.open("rb") as file:
            header = file.read(100)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        if wal.exists():
            raise LogCorrupt(
                f"{path} is missing but {wal} is there: the log was moved or deleted in part; "
                "put both back, or move the rest away to start empty",
                path=path,
            ) from None
        return False
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error}", path=path) from error
    if header[:16] != _MAGIC[: len(header)]:
        raise LogFormat(f"{path} is not an event log: choose another path; {_LEFT}", path=path)
    if len(header) < 100:
        raise LogCorrupt(
            f"{path} is damaged: only {size} bytes are left of it; {_RESTORE}", path=path
        )
    application = int.from_bytes(header[68:72])
    version = int.from_bytes(header[60:64])
    if application != _database.APPLICATION_ID:
        raise LogFormat(
            f"{path} is a SQLite database of another program, not an event log: "
            f"choose another path; {_LEFT}",
            path=path,
        )
    if version != _database.FORMAT:
        raise LogFormat(
            f"{path} has format {version}, this version reads format {_database.FORMAT}: open it "
            f"with the version that wrote it, or a later one; {_LEFT}",
            path=path,
        )
    page = int.from_bytes(header[16:18])
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32])
    # With a write-ahead log, pages that the header counts may be in there instead.
    if size < pages * page and not (wal.exists() and wal.stat().st_size):
        raise LogCorrupt(
            f"{path} is truncated: {size} bytes are left of {pages * page}; {_RESTORE}", path=path
        )
    return True


def verify(path: Path) -> None:
    """Read all of the log at ``path`` without changing any of its files.

    Raises:
        LogCorrupt: Something is missing or altered.
    """
    try:
        with readable(path) as uri, contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            _database.verify(database)
    except _database.DamagedError as error:
        raise LogCorrupt(f"{path} is damaged: {error}; {_RESTORE}", path=path) from error
    except sqlite3.Error as error:
        raise LogCorrupt(f"{path} is damaged: {error}; {_RESTORE}", path=path) from error


@contextlib.contextmanager
def readable(path: Path) -> Iterator[str]:
    """Yield the address of a database that shows the contents of ``path`` and leaves it alone."""
    wal = beside(path, "-wal")
    if not (wal.exists() and wal.stat().st_size):
        yield f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
        return
    # SQLite finds a write-ahead log by its name, and builds an index beside it: give it a second
    # name for the database, and a copy of the log, which is small.
    with tempfile.TemporaryDirectory(prefix=".check-", dir=path.parent) as directory:
        twin = Path(directory) / "log"
        try:
            twin.hardlink_to(path)
        except OSError:  # a file system without links
            shutil.copyfile(path, twin)
        shutil.copyfile(wal, beside(twin, "-wal"))
        yield f"file:{quote(str(twin.absolute()))}?mode=ro"


def create(path: Path) -> None:
    """Create an empty log at ``path``: it is there whole, or not at all."""
    draft = beside(path, ".new")
    for leftover in (draft, beside(draft, "-wal"), beside(draft, "-shm")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as database:
        database.execute(f"PRAGMA page_size = {_database.PAGE_SIZE}")
        database.execute(f"PRAGMA application_id = {_database.APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {_database.FORMAT}")
        database.executescript(_database.SCHEMA)
        database.execute("PRAGMA journal_mode = WAL")
    _flush(draft)
    draft.rename(path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
