"""An append-only event log: one protocol, in memory or in SQLite.

Records have a key and a sequence; appends may state what they expect of their key, and get a
conflict as a value when it is otherwise. See `EventLog` for what every implementation promises.
SQLite is loaded on first use.
"""

from typing import TYPE_CHECKING, Any

from actors.log.errors import (
    Compacted,
    LogClosed,
    LogCorrupt,
    LogError,
    LogFailed,
    LogFormat,
    LogFull,
    LogLocked,
)
from actors.log.memory import MemoryLog
from actors.log.protocol import (
    Append,
    Appended,
    Conflict,
    Deferred,
    Entry,
    EventLog,
    Record,
    Snapshot,
)

if TYPE_CHECKING:
    from actors.log.sqlite import SqliteLog

__all__ = [
    "Append",
    "Appended",
    "Compacted",
    "Conflict",
    "Deferred",
    "Entry",
    "EventLog",
    "LogClosed",
    "LogCorrupt",
    "LogError",
    "LogFailed",
    "LogFormat",
    "LogFull",
    "LogLocked",
    "MemoryLog",
    "Record",
    "Snapshot",
    "SqliteLog",
]


def __getattr__(name: str) -> Any:
    if name == "SqliteLog":
        from actors.log.sqlite import SqliteLog

        return SqliteLog
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
