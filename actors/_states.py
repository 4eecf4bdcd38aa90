"""The states of a cell, as plain integers: they are compared on every message."""

from typing import Final

IDLE: Final = 0
"""Nothing waits."""
READY: Final = 1
"""Messages wait and the run queue has it."""
RUNNING: Final = 2
"""A turn or a burst is handling messages."""
STARTING: Final = 3
"""``started`` has not finished; messages wait."""
RESTARTING: Final = 4
"""It failed; the old instance is being released or the delay passes; messages wait."""
STOPPING: Final = 5
"""It was told to stop and takes no more messages."""
CLOSING: Final = 6
"""It releases what it has."""
STOPPED: Final = 7

STATE_NAMES: Final = (
    "idle",
    "ready",
    "running",
    "starting",
    "restarting",
    "stopping",
    "closing",
    "stopped",
)
