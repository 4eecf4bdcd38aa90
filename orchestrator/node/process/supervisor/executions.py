"""Commands in containers: started here, their streams handed to who asked.

The supervisor is their parent, so that they end with their container and their exit code is
heard, but it moves none of their bytes: the asker gets the other ends of their pipes, or their
terminal's master, over the socket. One connection is one command's. When it ends while the
command runs, the command is hung up on.
"""

from __future__ import annotations

import signal

from . import processes, streaming
from .containers import Container

HANG_UP = 2.0
"""Seconds from SIGHUP to SIGKILL for a command whose asker has gone."""


class Execution:
    """One command that runs.

    Attributes:
        pid: Its process, which is also the session and the process group.
        container: The container's id.
        kill_at: Monotonic seconds of the SIGKILL that follows a hang-up, or None.
    """

    __slots__ = ("container", "kill_at", "pid")

    def __init__(self, pid: int, container: str) -> None:
        self.pid = pid
        self.container = container
        self.kill_at: float | None = None

    def hang_up(self, now: float) -> None:
        """Tell it that nobody listens any more, and give it `HANG_UP` seconds to end.

        Args:
            now: Monotonic seconds.
        """
        processes.send(self.pid, signal.SIGHUP, group=True)
        processes.send(self.pid, signal.SIGCONT, group=True)
        self.kill_at = now + HANG_UP

    def kill(self) -> None:
        """SIGKILL the process and its group."""
        self.kill_at = None
        processes.send(self.pid, signal.SIGKILL)
        processes.send(self.pid, signal.SIGKILL, group=True)


def execute(
    container: Container, argv: list[str], wanted: list[str], *, tty: bool
) -> tuple[Execution, list[int]]:
    """Start a command in a container.

    Args:
        container: One that runs.
        argv: Command and arguments.
        wanted: Which of ``stdin``, ``stdout`` and ``stderr`` the asker gets.
        tty: Give it a terminal; the asker gets its master instead.

    Returns:
        The command and the asker's descriptors in the order of ``wanted``, which the caller hands
        over and closes; with ``tty`` only the master.

    Raises:
        StartError: It could not be executed.
        OSError: There is no room for one more.
    """
    launch = container.launch
    assert launch is not None
    env = dict(launch.env)
    if tty:
        env["TERM"] = "xterm"
    launch = launch._replace(argv=argv, env=env, enter=container.pid)
    theirs: list[int] = []
    ours: list[int] = []
    try:
        streams = (
            streaming.terminal(theirs, ours, launch.uid)
            if tty
            else streaming.pipes(theirs, ours, wanted)
        )
        pid = processes.spawn(launch, streams)
    except (processes.StartError, OSError):
        streaming.close(ours)
        raise
    finally:
        streaming.close(theirs)
    return Execution(pid, container.record["id"]), ours
