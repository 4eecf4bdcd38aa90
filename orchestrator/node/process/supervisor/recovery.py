"""Containers whose supervisor died: their pipes are gone, so they are ended and reported lost.

A process is only ever signalled when it is proven to be the container's: same boot, same pid and
start time, or the container's id in its environment.
"""

from __future__ import annotations

import signal
import time

from . import processes, records

_PATIENCE = 5.0
"""Seconds to wait for killed processes to be gone."""


def recover(directory: str, boot: str) -> dict[str, records.Record]:
    """Load all records, end what still runs of unfinished ones, and save their end."""
    found = {record["id"]: record for record in records.load(directory)}
    lost = [record for record in found.values() if record["state"] != "exited"]
    for record in lost:
        same_boot = record["boot"] in ("", boot)
        if same_boot:
            _end(record)
        record.update(
            {
                "state": "exited",
                "finished_at": time.time(),
                "exit_code": 137,
                "signal": int(signal.SIGKILL),
                "lost": "The supervisor of the container's pipes died; the container was ended"
                if same_boot
                else "The machine was restarted",
            }
        )
        records.save(directory, record)
    return found


def _end(record: records.Record) -> None:
    pid = record["pid"]
    if pid and processes.start_time(pid) == record["start_time"]:
        processes.send(pid, signal.SIGKILL, group=True)
        processes.send(pid, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        left = processes.marked(record["id"])
        for stray in left:
            processes.send(stray, signal.SIGKILL)
        if not left and processes.start_time(pid) != record["start_time"]:
            return
        time.sleep(0.01)
