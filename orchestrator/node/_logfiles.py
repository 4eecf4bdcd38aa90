"""CRI log files as they are read: from the end backwards, over rotations, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from orchestrator.records import dataclass
from orchestrator.resources.timestamps import format_time

BLOCK = 64 * 1024
"""Bytes read at once."""
LAST_LINES = 80
LAST_BYTES = 2048
"""What the kubelet takes of a log for ``terminated.message`` at most."""


def pod_log_directory(directory: Path, namespace: str, name: str, uid: str) -> Path:
    """Return where a pod's logs are: a directory for each container, a file for each attempt."""
    return directory / "pods" / f"{namespace}_{name}_{uid}"


def rotated_files(path: Path) -> list[Path]:
    """Return the files of a log, oldest first: ``path.N`` ... ``path.1``, ``path``."""
    older: list[tuple[int, Path]] = []
    for found in path.parent.glob(f"{path.name}.*"):
        number = found.name.rpartition(".")[2]
        if number.isdigit():
            older.append((int(number), found))
    files = [found for _, found in sorted(older, reverse=True)]
    return [*files, path] if path.exists() else files


def tail_start(files: list[Path], lines: int) -> tuple[int, int]:
    """Find where the last ``lines`` entries begin, reading backwards.

    Returns:
        Index into ``files`` and offset in bytes; (0, 0) when there are fewer.
    """
    if lines <= 0:
        last = len(files) - 1
        return last, files[last].stat().st_size
    wanted = lines
    for index in range(len(files) - 1, -1, -1):
        with files[index].open("rb") as file:
            end = size = file.seek(0, os.SEEK_END)
            while end > 0:
                begin = max(0, end - BLOCK)
                file.seek(begin)
                block = file.read(end - begin)
                at = len(block)
                if end == size:
                    at -= block.endswith(b"\n")  # it ends the last entry, it begins none
                while (at := block.rfind(b"\n", 0, at)) >= 0:
                    wanted -= 1
                    if wanted == 0:
                        return index, begin + at + 1
                end = begin
        if size:
            wanted -= 1  # the file's first entry has no newline before it
            if wanted == 0:
                return index, 0
    return 0, 0


def cri_time(seconds: float) -> bytes:
    """Format a time so that it compares, as bytes, with those of entries."""
    return f"{format_time(seconds)[:-1]}.{int(seconds % 1 * 1e9):09d}Z".encode()


def read_last_words(path: Path) -> str:
    """Return the last 80 lines of a log, of those at most the last 2048 bytes.

    Raises:
        OSError: The log cannot be read.
    """
    cursor = LogCursor(path)
    try:
        cursor.seek_tail(LAST_LINES)
        formatter, words = EntryFormatter(), b""
        while entries := cursor.read():
            words = (words + formatter.format(entries))[-LAST_BYTES:]
    finally:
        cursor.close()
    return words.decode(errors="replace")


class LogCursor:
    """A place in a log that follows it over rotations."""

    def __init__(self, path: Path) -> None:
        """Stand at the beginning of the oldest file."""
        self._path = path
        self._file: BufferedReader | None = None
        self._rest = b""

    def seek_tail(self, lines: int) -> None:
        """Stand before the last ``lines`` entries."""
        files = rotated_files(self._path)
        if files:
            index, offset = tail_start(files, lines)
            self._file = files[index].open("rb")
            self._file.seek(offset)

    def read(self) -> list[bytes]:
        """Return complete entries, about a block of them, without newlines; [] at the end."""
        while True:
            if self._file is None and not self._open_oldest():
                return []
            assert self._file is not None
            data = self._file.read(BLOCK)
            if data:
                lines = (self._rest + data).split(b"\n")
                self._rest = lines.pop()
                if lines:
                    return lines
            elif not self._advance():
                return []

    def _open_oldest(self) -> bool:
        for path in rotated_files(self._path):
            try:
                self._file = path.open("rb")
            except FileNotFoundError:  # rotated away just now
                continue
            return True
        return False

    def _advance(self) -> bool:
        """Go on to the next newer file; False when this is the newest."""
        assert self._file is not None
        here = os.fstat(self._file.fileno())
        files = rotated_files(self._path)
        for index, path in enumerate(files):
            try:
                there = path.stat()
            except FileNotFoundError:
                continue
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                if index + 1 == len(files):
                    return False
                # It may have grown between the last read and its rotation.
                if self._file.tell() < there.st_size:
                    return True
                self._file.close()
                self._file = files[index + 1].open("rb")
                return True
        if not files:
            return False
        self._file.close()  # so far behind that its file was removed: go on with the oldest
        self._file = None
        return True

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(slots=True)
class EntryFormatter:
    """Turns entries into what a user sees.

    Attributes:
        timestamps: Put the time before each line.
        since: Skip entries before this time, as `cri_time` formats it, or None.
        limit: Bytes still allowed, or None.
    """

    timestamps: bool = False
    since: bytes | None = None
    limit: int | None = None
    _within_line: bool = False

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return self.limit is not None and self.limit <= 0

    def format(self, entries: list[bytes]) -> bytes:
        """Return the text of ``entries``; what is not a CRI entry is shown as it is."""
        out = b"".join(self._pieces(entries))
        if self.limit is not None:
            out = out[: max(0, self.limit)]
            self.limit -= len(out)
        return out

    def _pieces(self, entries: list[bytes]) -> Iterator[bytes]:
        for entry in entries:
            time, _, rest = entry.partition(b" ")
            _, _, rest = rest.partition(b" ")
            tag, _, text = rest.partition(b" ")
            if tag[:1] not in (b"F", b"P"):
                yield entry + b"\n"
                continue
            if self.since is not None:
                if time < self.since:
                    continue
                self.since = None
            if self.timestamps and not self._within_line:
                yield time + b" "
            yield text
            self._within_line = tag[:1] == b"P"
            if not self._within_line:
                yield b"\n"
