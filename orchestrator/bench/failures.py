"""Failures that a user can mend: a command prints their message and no traceback."""

from __future__ import annotations


class UserError(ValueError):
    """Something given to the harness that it cannot work with; says what, where and what to do."""
