"""One container as the supervisor holds it: main process, pipes, log, end."""

from __future__ import annotations

import os
import signal
import time

from . import processes, records
from .logfiles import LineWriter, LogFile

READ = 64 * 1024
"""Bytes read from a pipe at once: a Linux pipe's capacity."""


class Container:
    """A running or ending container.

    Attributes:
        record: What is known of it; saved by the caller after each change.
        launch: How it was started: what a command in it starts from. Only here, never on disk,
            since environments have secrets.
        pipes: Open read ends and where their bytes go.
        status: Wait status of the main process, or None while it runs.
        kill_at: Monotonic seconds of the SIGKILL that follows a stop, or None.
        overdue_at: Monotonic seconds after which survivors of SIGKILL are no longer waited for.
    """

    __slots__ = ("_log", "kill_at", "launch", "overdue_at", "pipes", "record", "status")

    def __init__(self, record: records.Record, log_limit: int, log_files: int) -> None:
        self.record = record
        self.launch: processes.Launch | None = None
        self.status: int | None = None
        self.kill_at: float | None = None
        self.overdue_at: float | None = None
        self._log = LogFile(record["log"], log_limit, log_files)
        self.pipes: dict[int, LineWriter] = {}

    @property
    def pid(self) -> int:
        """The main process, which is also the session and the process group."""
        return self.record["pid"]

    def start(self, launch: processes.Launch, boot: str) -> None:
        """Start the main process; StartError, or OSError for want of room, leave nothing open."""
        opened: list[int] = []
        try:
            for _ in range(2):
                opened += os.pipe()
            out_read, out_write, err_read, err_write = opened
            pid = processes.spawn(launch, processes.Streams(stdout=out_write, stderr=err_write))
        except (processes.StartError, OSError):
            for descriptor in opened:
                os.close(descriptor)
            self._log.close()
            raise
        os.close(out_write)
        os.close(err_write)
        self.launch = launch
        self.pipes = {
            out_read: LineWriter(self._log, "stdout"),
            err_read: LineWriter(self._log, "stderr"),
        }
        for descriptor in self.pipes:
            os.set_blocking(descriptor, False)
        self.record.update(
            {
                "state": "running",
                "pid": pid,
                "start_time": processes.start_time(pid) or 0,
                "boot": boot,
                "started_at": time.time(),
            }
        )

    def pump(self, descriptor: int) -> bool:
        """Move what the pipe holds to the log; False when the pipe has ended."""
        try:
            data = os.read(descriptor, READ)
        except BlockingIOError:
            return True
        if data:
            self.pipes[descriptor].feed(data)
            return True
        return False

    def drain(self) -> None:
        """Move all that is left in the pipes, then close pipes and log."""
        for descriptor, writer in self.pipes.items():
            try:
                while data := os.read(descriptor, READ):
                    writer.feed(data)
            except BlockingIOError:  # a descriptor that escaped is still open elsewhere
                pass
            writer.finish()
            os.close(descriptor)
        self.pipes = {}
        self._log.close()

    def kill(self) -> None:
        """SIGKILL the main process and its group."""
        self.kill_at = None
        if self.status is None:
            processes.send(self.pid, signal.SIGKILL)
        processes.send(self.pid, signal.SIGKILL, group=True)

    def finish(self) -> None:
        """Close everything and write the end into the record."""
        self.drain()
        status = self.status or 0
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        self.record.update(
            {
                "state": "exited",
                "finished_at": time.time(),
                "exit_code": 128 + number if number else os.WEXITSTATUS(status),
                "signal": number,
            }
        )
