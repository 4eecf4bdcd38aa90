"""Who takes part in a container's streams: copies of what it writes, and a way to its input.

An asker gets the reading ends of pipes of its own, into which the supervisor copies what it also
writes to the log, and the container's input itself (a pipe, or its terminal's master). An asker
that does not keep up holds the container's output up, as with upstream's runtimes, but not for
ever: one that takes nothing for `STALLED` seconds is let go.
"""

from __future__ import annotations

import os

from .containers import Container

STALLED = 30.0
"""Seconds without a byte taken after which an asker is no longer waited for."""


class Tee:
    """A copy of one stream for one asker.

    Attributes:
        descriptor: Where the copy is written, or -1 once closed.
        source: The container's pipe that is copied.
        rest: What the asker has not taken yet.
        ending: Whether nothing more follows: closed as soon as the rest is taken.
        stalled_at: Monotonic seconds since when nothing was taken, or None.
    """

    __slots__ = ("descriptor", "ending", "rest", "source", "stalled_at")

    def __init__(self, descriptor: int, source: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.source = source
        self.rest = bytearray()
        self.ending = False
        self.stalled_at: float | None = None

    def write(self, data: bytes, now: float) -> None:
        """Copy; what the asker does not take at once is kept."""
        if self.descriptor >= 0:
            self.rest += data
            self.flush(now)

    def flush(self, now: float) -> None:
        """Write what is left, as far as the asker takes it."""
        while self.rest and self.descriptor >= 0:
            try:
                del self.rest[: os.write(self.descriptor, self.rest)]
                self.stalled_at = None
            except BlockingIOError:
                if self.stalled_at is None:
                    self.stalled_at = now
                return
            except OSError:  # the asker has left
                self.close()

    def close(self) -> None:
        """Let go."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        self.rest.clear()


class Attachment:
    """One asker's part in a container.

    Attributes:
        container: The container.
        tees: Copies of its streams.
        has_input: Whether the asker was given the container's input.
    """

    __slots__ = ("container", "has_input", "tees")

    def __init__(self, container: Container, tees: list[Tee], *, has_input: bool) -> None:
        self.container = container
        self.tees = tees
        self.has_input = has_input


def attach(container: Container, wanted: list[str]) -> tuple[Attachment, list[str], list[int]]:
    """Take part in a container's streams.

    Args:
        container: One that runs.
        wanted: Which of ``stdin``, ``stdout`` and ``stderr``; what the container has not got is
            left out.

    Returns:
        The attachment, what the asker gets and the descriptors in that order, which the caller
        hands over and closes. ``terminal`` is the master of the container's terminal.

    Raises:
        OSError: There is no room for one more.
    """
    tees: list[Tee] = []
    names: list[str] = []
    theirs: list[int] = []
    has_input = "stdin" in wanted and container.input >= 0
    try:
        for source, writer in container.pipes.items():
            if writer.stream in wanted:
                read, write = os.pipe()
                tees.append(Tee(write, source))
                theirs.append(read)
                names.append(writer.stream)
        if container.is_terminal:
            theirs.append(os.dup(container.terminal))
            names.append("terminal")
        elif has_input:
            theirs.append(os.dup(container.input))
            names.append("stdin")
    except OSError:
        for tee in tees:
            tee.close()
        for descriptor in theirs:
            os.close(descriptor)
        raise
    container.tees += tees
    return Attachment(container, tees, has_input=has_input), names, theirs
