"""Standard streams that may fail: their disk is full, or who read them has gone.

A daemon must not fail because it cannot say something.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO


class Unfailing:
    """A text stream that drops what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or drop it."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        """Flush, or drop what is buffered."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


def say(text: str, *, error: bool = False) -> None:
    """Print a line to standard output or standard error, if anybody takes it."""
    stream = sys.stderr if error else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Its buffer would be flushed again at the end, and change the exit code.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        return
