"""How long an evaluation may take where it was asked for, before it is better done elsewhere."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

PATIENCE: Final[ContextVar[int | None]] = ContextVar("patience", default=None)
"""Units of cost after which rules give up with `TakesTimeError`; None for never. It is a variable
of the context since validation is a plain function of objects, whoever calls it."""


class TakesTimeError(Exception):
    """An evaluation was broken off, undecided: it is to be done again without a limit."""
