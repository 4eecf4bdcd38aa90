"""The actor that stands for Thespian: Thespian imports actor classes by their module."""

from __future__ import annotations

from typing import Any

from thespian.actors import Actor


class ThespianCounter(Actor):  # type: ignore[misc] # Thespian has no annotations
    """Counts."""

    count = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """Count one message, or answer with the count."""
        if message == "count":
            self.send(sender, self.count)
        elif isinstance(message, int):
            self.count += 1
