"""Pipes and terminals for what is started here: one end for the program, one for who listens."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

from . import processes


def pipes(theirs: list[int], ours: list[int], wanted: list[str]) -> processes.Streams:
    """Make a pipe for each of ``wanted`` streams.

    Args:
        theirs: The program's ends are added here.
        ours: The other ends, in the order of ``wanted``.
        wanted: Some of ``stdin``, ``stdout``, ``stderr``.

    Raises:
        OSError: There is no room for one more; what was made until then is in the lists.
    """
    made: dict[str, int] = {}
    for name in wanted:
        read, write = os.pipe()
        made[name], kept = (read, write) if name == "stdin" else (write, read)
        theirs.append(made[name])
        ours.append(kept)
    return processes.Streams(made.get("stdin", -1), made.get("stdout", -1), made.get("stderr", -1))


def terminal(theirs: list[int], ours: list[int], user: int | None) -> processes.Streams:
    """Make a terminal; its master is added to ``ours``.

    Args:
        theirs: The program's end is added here.
        ours: The other end.
        user: Whom the terminal shall belong to, or None for this process's user.
    """
    master, slave = os.openpty()
    ours.append(master)
    theirs.append(slave)
    if user is not None:
        os.fchown(slave, user, -1)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return processes.Streams(slave, slave, slave, is_terminal=True)


def close(descriptors: list[int]) -> None:
    """Close all of them."""
    for descriptor in descriptors:
        os.close(descriptor)
