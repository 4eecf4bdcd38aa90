"""Container logs in CRI format: ``2026-01-02T03:04:05.123456789Z stdout F text``.

Lines longer than 16 KiB, and an end without a newline, are written as partial (``P``), as
containerd does. Files rotate by size: ``0.log`` becomes ``0.log.1`` and so on.
"""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH103, PTH105, PTH120

from __future__ import annotations

import os
import time

LONGEST_LINE = 16 * 1024
"""Bytes of one log entry's text; containerd's ``max_container_log_line_size``."""


class Stamp:
    """RFC 3339 times with nanoseconds, the part above the second formatted once a second."""

    __slots__ = ("_prefix", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._prefix = b""

    def format(self, nanoseconds: int) -> bytes:
        """Format ``nanoseconds`` since the epoch, in UTC."""
        second, rest = divmod(nanoseconds, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)).encode()
        return self._prefix + b"%09dZ" % rest


class LogFile:
    """One container's log; writes are unbuffered, so a reader sees them at once.

    Attributes:
        path: The newest file; older ones add ``.1`` (newest) to ``.N``.
        failed: The last write's error, or None; a full disk loses log lines, never containers.
    """

    __slots__ = ("_fd", "_files", "_limit", "_size", "failed", "path")

    def __init__(self, path: str, limit: int, files: int) -> None:
        """Open ``path`` for appending.

        Args:
            path: Its directory is created, readable by the owner only.
            limit: Bytes after which the file rotates.
            files: How many files to keep, the newest included.
        """
        self.path = path
        self.failed: OSError | None = None
        self._limit = limit
        self._files = max(1, files)
        self._fd = -1
        self._size = 0
        self._open()

    def _open(self) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._fd).st_size

    def write(self, data: bytes) -> None:
        """Append whole entries; rotates first when they would pass the limit."""
        try:
            if self._fd < 0:
                self._open()
            elif self._size and self._size + len(data) > self._limit:
                self._rotate()
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            self.failed = error
        self._size += len(data)

    def _rotate(self) -> None:
        self.close()
        for number in range(self._files - 1, 0, -1):
            older = f"{self.path}.{number}"
            newer = self.path if number == 1 else f"{self.path}.{number - 1}"
            try:
                os.replace(newer, older)
            except FileNotFoundError:
                continue
        if self._files == 1:
            os.truncate(self.path, 0)
        self._open()

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class LineWriter:
    """Turns what one stream (``stdout`` or ``stderr``) sends into log entries.

    Attributes:
        stream: Its name.
    """

    __slots__ = ("_buffer", "_file", "_stamp", "_stream", "stream")

    def __init__(self, file: LogFile, stream: str) -> None:
        self.stream = stream
        self._file = file
        self._stream = stream.encode()
        self._buffer = b""
        self._stamp = Stamp()

    def feed(self, data: bytes) -> None:
        """Write the entries that are complete with ``data``; keep an unfinished line."""
        lines = (self._buffer + data).split(b"\n")
        self._buffer = lines.pop()
        stamp = self._stamp.format(time.time_ns())
        full = b"%s %s F " % (stamp, self._stream)
        partial = b"%s %s P " % (stamp, self._stream)
        out: list[bytes] = []
        for line in lines:
            rest = line
            while len(rest) > LONGEST_LINE:
                out += (partial, rest[:LONGEST_LINE], b"\n")
                rest = rest[LONGEST_LINE:]
            out += (full, rest, b"\n")
        while len(self._buffer) > LONGEST_LINE:
            out += (partial, self._buffer[:LONGEST_LINE], b"\n")
            self._buffer = self._buffer[LONGEST_LINE:]
        if out:
            self._file.write(b"".join(out))

    def finish(self) -> None:
        """Write what is left without its newline, as a partial entry."""
        if self._buffer:
            stamp = self._stamp.format(time.time_ns())
            self._file.write(b"%s %s P %s\n" % (stamp, self._stream, self._buffer))
            self._buffer = b""
