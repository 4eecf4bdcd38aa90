"""The program's own log, loaded with its first line.

structlog takes 20 ms to load, and 60 where rich is installed, which it draws tracebacks with: as
much as a small cluster's whole life in a test, which usually logs nothing.
"""

from __future__ import annotations

from typing import Any


class _Logger:
    """A structlog logger that is made when it is first written to."""

    __slots__ = ("_bound", "_made", "_name")

    def __init__(self, name: str, bound: dict[str, Any]) -> None:
        self._name = name
        self._bound = bound
        self._made: Any = None

    def bind(self, **more: Any) -> Any:
        """Return a logger whose lines say ``more`` as well."""
        return _Logger(self._name, {**self._bound, **more})

    def __getattr__(self, method: str) -> Any:
        made = self._made
        if made is None:
            import structlog

            made = structlog.get_logger(self._name)
            if self._bound:
                made = made.bind(**self._bound)
            self._made = made
        return getattr(made, method)


def get_logger(name: str, **bound: Any) -> Any:
    """Return what ``structlog.get_logger(name).bind(**bound)`` would, without loading it yet."""
    return _Logger(name, bound)
