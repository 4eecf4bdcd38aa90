"""One container as the supervisor holds it: main process, pipes, log, end."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from . import processes, records, streaming
from .logfiles import LineWriter, LogFile

if TYPE_CHECKING:
    from .attaching import Tee

READ = 64 * 1024
"""Bytes read from a pipe at once: a Linux pipe's capacity."""


class Container:
    """A running or ending container.

    Attributes:
        record: What is known of it; saved by the caller after each change.
        launch: How it was started: what a command in it starts from. Only here, never on disk,
            since environments have secrets.
        pipes: Open read ends and where their bytes go.
        input: Where its input is written, or -1 where it has none (any more).
        terminal: Master of its terminal, or -1.
        stdin_once: Whether its input ends with the first who was given it.
        tees: Copies of its streams for those who attached.
        status: Wait status of the main process, or None while it runs.
        kill_at: Monotonic seconds of the SIGKILL that follows a stop, or None.
        overdue_at: Monotonic seconds after which survivors of SIGKILL are no longer waited for.
    """

    __slots__ = (
        "_log",
        "input",
        "kill_at",
        "launch",
        "overdue_at",
        "pipes",
        "record",
        "status",
        "stdin_once",
        "tees",
        "terminal",
    )

    def __init__(self, record: records.Record, log_limit: int, log_files: int) -> None:
        self.record = record
        self.launch: processes.Launch | None = None
        self.status: int | None = None
        self.kill_at: float | None = None
        self.overdue_at: float | None = None
        self._log = LogFile(record["log"], log_limit, log_files)
        self.pipes: dict[int, LineWriter] = {}
        self.tees: list[Tee] = []
        self.input = -1
        self.terminal = -1
        self.stdin_once = False

    @property
    def pid(self) -> int:
        """The main process, which is also the session and the process group."""
        return self.record["pid"]

    @property
    def is_terminal(self) -> bool:
        """Whether it has a terminal."""
        return self.terminal >= 0

    def start(
        self, launch: processes.Launch, boot: str, *, stdin: bool = False, tty: bool = False
    ) -> None:
        """Start the main process; StartError, or OSError for want of room, leave nothing open.

        Args:
            launch: What to execute.
            boot: The kernel's boot id.
            stdin: Give it an input that those who attach can write to.
            tty: Give it a terminal; its output and errors are one stream then.
        """
        theirs: list[int] = []
        ours: list[int] = []
        try:
            wanted = ["stdin"] * stdin + ["stdout", "stderr"]
            streams = (
                streaming.terminal(theirs, ours, launch.uid)
                if tty
                else streaming.pipes(theirs, ours, wanted)
            )
            pid = processes.spawn(launch, streams)
        except (processes.StartError, OSError):
            streaming.close(ours)
            self._log.close()
            raise
        finally:
            streaming.close(theirs)
        self.launch = launch
        if tty:
            self.terminal = ours[0]
            self.input = self.terminal if stdin else -1
            self.pipes = {self.terminal: LineWriter(self._log, "stdout")}
        else:
            *given, out_read, err_read = ours
            self.input = given[0] if given else -1
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

    def pump(self, descriptor: int, now: float) -> bool:
        """Move what the pipe holds to the log, and to those who attached.

        Args:
            descriptor: One of the pipes.
            now: Monotonic seconds.

        Returns:
            False when the pipe has ended.
        """
        try:
            data = os.read(descriptor, READ)
        except BlockingIOError:
            return True
        except OSError:  # EIO: a terminal that nobody has open any more
            return False
        if data:
            self.pipes[descriptor].feed(data)
            for tee in self.tees:
                if tee.source == descriptor:
                    tee.write(data, now)
            return True
        return False

    def is_held(self, descriptor: int) -> bool:
        """Tell whether a pipe waits for someone who attached to it."""
        return any(tee.source == descriptor and tee.rest for tee in self.tees)

    def close_input(self) -> None:
        """Let the main process see the end of its input; a terminal stays."""
        if self.input >= 0 and not self.is_terminal:
            os.close(self.input)
            self.input = -1

    def drain(self, now: float) -> None:
        """Move all that is left in the pipes, then close pipes, input and log."""
        self.close_input()
        for descriptor, writer in self.pipes.items():
            try:
                while data := os.read(descriptor, READ):
                    writer.feed(data)
                    for tee in self.tees:
                        if tee.source == descriptor:
                            tee.write(data, now)
            except OSError:  # a descriptor that escaped is still open elsewhere; or EIO
                pass
            writer.finish()
            os.close(descriptor)
        self.pipes = {}
        self.terminal = self.input = -1
        self._log.close()

    def kill(self) -> None:
        """SIGKILL the main process and its group."""
        self.kill_at = None
        if self.status is None:
            processes.send(self.pid, signal.SIGKILL)
        processes.send(self.pid, signal.SIGKILL, group=True)

    def finish(self, now: float) -> None:
        """Close everything and write the end into the record."""
        self.drain(now)
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
