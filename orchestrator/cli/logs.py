"""How the program's own log looks: aligned text for people, JSON lines for machines."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final, TextIO, cast

from orchestrator.cli.streams import Unfailing

if TYPE_CHECKING:
    import types

if "rich" in sys.modules:
    import structlog
else:
    # structlog loads rich for drawing tracebacks wherever it is installed: 50 ms and some
    # megabytes of every daemon, which prints tracebacks plainly.
    sys.modules["rich"] = cast("types.ModuleType", None)
    try:
        import structlog
    finally:
        del sys.modules["rich"]

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure_logs(level: str, *, as_json: bool) -> None:
    """Send structlog's output to standard error.

    Args:
        level: A key of `LEVELS`.
        as_json: One JSON object a line; otherwise text, coloured on a terminal only.

    Raises:
        ValueError: ``level`` is not one of `LEVELS`; the message names them.
    """
    if level not in LEVELS:
        raise ValueError(f"log level {level!r} is unknown: take one of {', '.join(LEVELS)}")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The default one prints local variables: Secrets and tokens would end up in the log.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if as_json else _keep,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )


def _keep(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Leave the event as it is: the console renderer prints exceptions itself."""
    return event
