"""How soon a busy event loop lets another thread have the interpreter.

A commit's thread wants the interpreter for some microseconds, twice: to take the batch and, when
the disk has it, to say so. Behind an event loop that is busy it waits for it as long as CPython's
switch interval, 5 milliseconds, which is longer than the flush itself: under load a fifth of the
writes a second. A program that embeds a cluster keeps its own setting.
"""

from __future__ import annotations

import sys
from typing import Final

SWITCH_INTERVAL: Final = 0.0005
"""Seconds that a thread waits before it is let in."""


def hasten_switches() -> None:
    """Set the process's switch interval."""
    sys.setswitchinterval(SWITCH_INTERVAL)
