"""The program's own log: structlog's where a program has set that up, else the standard library's.

A library does not print: what it has to say goes where its host's log goes, and pytest shows it
with a failed test. structlog's own default writes all of it to standard output, down to the last
detail; and it takes 20 ms to load, 60 where rich is installed, which it draws tracebacks with: as
much as a small cluster's whole life in a test.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Final

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}


class _Logger:
    """Finds out with each line where it goes: that may be said after this was made."""

    __slots__ = ("_bound", "_made", "_name")

    def __init__(self, name: str, bound: dict[str, Any]) -> None:
        self._name = name
        self._bound = bound
        self._made: Any = None

    def bind(self, **more: Any) -> Any:
        """Return a logger whose lines say ``more`` as well."""
        return _Logger(self._name, {**self._bound, **more})

    def __getattr__(self, method: str) -> Any:
        structlog: Any = sys.modules.get("structlog")
        if structlog is None or not structlog.is_configured():
            return _standard(logging.getLogger(self._name), method, self._bound)
        made = self._made
        if made is None:
            made = structlog.get_logger(self._name)
            if self._bound:
                made = made.bind(**self._bound)
            self._made = made
        return getattr(made, method)


def _standard(logger: logging.Logger, method: str, bound: dict[str, Any]) -> Callable[..., None]:
    """Return what writes a line of structlog's form to a logger of the standard library."""
    if method not in _LEVELS:
        raise AttributeError(f"a logger has no method {method!r}")
    level = _LEVELS[method]

    def write(event: str, *, exc_info: Any = method == "exception", **said: Any) -> None:
        if not logger.isEnabledFor(level):
            return
        exception = said.pop("exception", None)
        pairs = (f"{name}={value!r}" for name, value in {**said, **bound}.items())
        text = " ".join((event, *pairs))
        if exception:
            text += f"\n{exception.rstrip()}"
        logger.log(level, "%s", text, exc_info=exc_info, stacklevel=2)

    return write


def get_logger(name: str, **bound: Any) -> Any:
    """Return what ``structlog.get_logger(name).bind(**bound)`` would, if structlog is configured.

    Otherwise its lines go to the logger of that name in `logging`, as text.
    """
    return _Logger(name, bound)
