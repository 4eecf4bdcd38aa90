"""What goes wrong in the supervisor itself, for ``supervisor.log``."""

from __future__ import annotations

import sys


def complain(text: str) -> None:
    """Write to ``supervisor.log``, unless its disk is full."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        return
