"""What can be wrong with a log, in sentences a user can act upon.

A conflict between writers is not here: it is a value (`actors.log.Conflict`).
"""

# ruff: noqa: N818  these are named by what happened, as they read in an except clause

from __future__ import annotations

from pathlib import Path


class LogError(Exception):
    """Something is wrong with an event log; the message says what, where and what to do.

    Attributes:
        path: The file concerned, or None for a log without one.
    """

    def __init__(self, message: str, *, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path


class LogLocked(LogError):
    """Somebody else has the log open, or holds a lock on its file. Nothing was changed.

    Attributes:
        pid: The process that holds the log, or None when it did not leave its number.
    """

    def __init__(self, message: str, *, path: Path | None = None, pid: int | None = None) -> None:
        super().__init__(message, path=path)
        self.pid = pid


class LogCorrupt(LogError):
    """The file is a log, but damaged: truncated, overwritten, or with parts missing.

    The file is left as it was found. Restore it from a backup, or move it away to start empty.
    """


class LogFormat(LogError):
    """The file is not a log of this format: another program's, or a newer version's."""


class LogFull(LogError):
    """The disk is full. Nothing of the batch was written; the log goes on once there is space."""


class LogFailed(LogError):
    """The disk failed while writing, so the outcome of the last batch is not known.

    The log takes no more appends. Open it again to learn what is in it: the batch is there whole,
    or not at all.
    """


class LogClosed(LogError):
    """The log was used after `close`."""


class Compacted(LogError):
    """The history asked for was compacted away. Start from the snapshot, or from a later sequence.

    Attributes:
        first_sequence: The first sequence that can still be read.
    """

    def __init__(self, after: int, first_sequence: int, *, path: Path | None = None) -> None:
        super().__init__(
            f"records after sequence {after} were compacted: the history starts at "
            f"{first_sequence}; load the snapshot and read on from it",
            path=path,
        )
        self.first_sequence = first_sequence
