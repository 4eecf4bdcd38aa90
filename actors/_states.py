"""The states of a cell, as plain integers: they are compared on every message."""

from typing import Final

IDLE: Final = 0
"""Nothing waits."""
READY: Final = 1
"""Messages wait and the run queue has it."""
RUNNING: Final = 2
"""A turn is handling messages."""
BUSY: Final = 3
"""A task is handling messages, because the handler suspends."""
STARTING: Final = 4
"""``started`` has not finished; messages wait."""
RESTARTING: Final = 5
"""It failed; the old instance is being released or the delay passes; messages wait."""
STOPPING: Final = 6
"""It was told to stop and takes no more messages."""
CLOSING: Final = 7
"""It releases what it has."""
STOPPED: Final = 8

STATE_NAMES: Final = (
    "idle",
    "ready",
    "running",
    "busy",
    "starting",
    "restarting",
    "stopping",
    "closing",
    "stopped",
)
