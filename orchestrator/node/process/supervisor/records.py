"""What is known of each container, one small JSON file each.

A file is replaced by rename, so that a reader or a restarted supervisor sees the state before or
after, never half of it. There is no fsync: a power cut ends the processes too, and the boot id
in the record says so.
"""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH103, PTH105, PTH108, PTH123, PTH208

from __future__ import annotations

import json
import os
from typing import Any, TypedDict


class Record(TypedDict):
    """One container.

    Attributes:
        id: Chosen by the daemon, unique in the data directory.
        labels: The daemon's own: pod, container, attempt, node, address.
        log: Path of the log's newest file.
        state: ``created``, ``running`` or ``exited``.
        pid: Of the main process and its session; 0 before the start.
        start_time: In clock ticks since boot, see ``processes.start_time``.
        boot: Kernel's boot id.
        started_at: Seconds since the epoch; 0 before the start.
        finished_at: Seconds since the epoch; 0 before the end.
        exit_code: 128 + n after signal n; 0 before the end.
        signal: Number of the signal that ended it, or 0.
        lost: Why the end was not seen, else ``""``; the exit code is a guess (137) then.
    """

    id: str
    labels: dict[str, str]
    log: str
    state: str
    pid: int
    start_time: int
    boot: str
    started_at: float
    finished_at: float
    exit_code: int
    signal: int
    lost: str


def _path(directory: str, container: str) -> str:
    return f"{directory}/containers/{container}.json"


def save(directory: str, record: Record) -> None:
    """Write ``record``, replacing the one before."""
    path = _path(directory, record["id"])
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(record, file)
    os.replace(f"{path}.new", path)


def forget(directory: str, container: str) -> None:
    """Remove the record; that there is none is fine."""
    try:
        os.unlink(_path(directory, container))
    except FileNotFoundError:
        return


def load(directory: str) -> list[Record]:
    """Read all records; a file that is not a record is left alone and skipped."""
    os.makedirs(f"{directory}/containers", mode=0o700, exist_ok=True)
    found: list[Record] = []
    for name in sorted(os.listdir(f"{directory}/containers")):
        if name.endswith(".json"):
            try:
                with open(f"{directory}/containers/{name}", encoding="utf-8") as file:
                    data: Any = json.load(file)
                found.append(_checked(data))
            except (ValueError, TypeError, OSError):
                continue
    return found


def _checked(data: Any) -> Record:
    record: Record = data
    if set(record) != set(Record.__annotations__):
        raise ValueError("not a container's record")
    return record
