"""Waiting as tests against a real cluster wait, with a count of what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Pace:
    """Sleeps and polls, and adds up the time.

    Attributes:
        asleep: Seconds slept so far.
        longer: Seconds by which it would have been more at the operators' own settings.
    """

    def __init__(self) -> None:
        self.asleep = 0.0
        self.longer = 0.0

    def sleep(self, seconds: float, instead_of: float | None = None) -> None:
        """Sleep; where the operator was told to hurry, in place of so many seconds."""
        time.sleep(seconds)
        self.asleep += seconds
        if instead_of is not None:
            self.longer += instead_of - seconds

    def until(
        self, look: Callable[[], Any], timeout: float = 60.0, instead_of: float | None = None
    ) -> Any:
        """Look again and again until there is something to see, and return it.

        Args:
            look: Returns something true once it is so.
            timeout: Seconds until that is a failure.
            instead_of: Seconds for which one waits at the operator's own settings.

        Raises:
            AssertionError: It did not come true in time.
        """
        began = time.monotonic()
        while not (found := look()):
            waited = time.monotonic() - began
            assert waited < timeout, f"{look} did not come true within {timeout:g} s"
            time.sleep(0.1)
            self.asleep += 0.1
        if instead_of is not None:
            self.longer += max(0.0, instead_of - (time.monotonic() - began))
        return found
