"""What a kopf operator's handlers are doing, and what has failed in them: read off kopf's log.

kopf keeps handlers' exceptions to itself, tries again, and tells of it in its log only. That is the
one public place where one hears of them.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import re
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

LOGGER: Final = "kopf.objects"
"""Where kopf writes of handlers."""
CURRENT: Final[contextvars.ContextVar[HandlerLog | None]] = contextvars.ContextVar(
    "orchestrator-operator", default=None
)
"""Whose operator logs: set where it starts, its tasks and threads inherit it."""

_LINE: Final = re.compile(
    r"(?P<handler>(?P<kind>[A-Z][a-z]+) '[^']+') "
    r"(?P<what>is invoked|succeeded|failed|is cancelled|has )"
)
_LASTING: Final = frozenset({"Daemon", "Timer"})
"""Kinds of handlers that go on as long as the object is there: nobody waits for their end."""


class _Place(NamedTuple):
    handler: str
    object: str


class HandlerFailure(NamedTuple):
    """A handler that has failed for an object, and has not succeeded for it since.

    Attributes:
        handler: ``Handler 'create'``, ``Timer 'rotate'``.
        object: ``site/blog (default)``.
        times: How often.
        error: What it raised the last time.
    """

    handler: str
    object: str
    times: int
    error: Exception

    def __str__(self) -> str:
        often = "" if self.times == 1 else f" {self.times} times, at last"
        said = f"{type(self.error).__name__}: {self.error}"
        return f"{self.handler} of {self.object} failed{often}: {said}"


class HandlerLog(logging.Filter):
    """Follows one operator's handlers by what kopf logs of them.

    Attributes:
        on_end: Called, on whichever thread, when a handler has come to an end.
        fresh: How often a handler began, no timer and no daemon, that had not failed before.
        told: Whether the failures were shown in a failed test's report.
    """

    def __init__(self) -> None:
        """Know of nothing yet."""
        super().__init__()
        self.on_end: Callable[[], object] = int
        self.fresh = 0
        self.told = False
        self._at_work: Counter[_Place] = Counter()
        self._failures: dict[_Place, HandlerFailure] = {}
        self._least = logging.INFO

    @property
    def failures(self) -> list[HandlerFailure]:
        """What has failed and was not made good, the oldest first."""
        return list(self._failures.values())

    @property
    def at_work(self) -> list[str]:
        """Handlers that have begun and not ended; no timers, no daemons, no second attempts."""
        places = [place for place in +self._at_work if place not in self._failures]
        return [f"{place.handler} of {place.object}" for place in places]

    def forget(self) -> None:
        """Forget what has failed."""
        self._failures.clear()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what kopf logs of handlers for the block, whatever of it others want to see."""
        logger = logging.getLogger(LOGGER)
        with _detailed(logger) as least:
            self._least = least
            logger.addFilter(self)
            _running.addFilter(_is_no_matter_of_course)
            try:
                yield
            finally:
                _running.removeFilter(_is_no_matter_of_course)
                logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Take note of a record, and let through what would have been seen anyway."""
        if CURRENT.get() is self and (match := _LINE.match(record.getMessage())):
            self._note(match, record)
        return record.levelno >= self._least

    def _note(self, match: re.Match[str], record: logging.LogRecord) -> None:
        about = getattr(record, "k8s_ref", {})
        namespace = f" ({about['namespace']})" if about.get("namespace") else ""
        name = f"{str(about.get('kind')).lower()}/{about.get('name')}{namespace}"
        place = _Place(match["handler"], name)
        if match["what"] == "is invoked":
            if match["kind"] not in _LASTING:
                self.fresh += place not in self._failures
                self._at_work[place] += 1
            return
        self._at_work[place] -= 1
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Exception):
            before = self._failures.pop(place, None)
            self._failures[place] = HandlerFailure(*place, before.times + 1 if before else 1, error)
        elif match["what"] == "succeeded":
            self._failures.pop(place, None)
        self.on_end()


LOGS: Final[weakref.WeakKeyDictionary[object, list[HandlerLog]]] = weakref.WeakKeyDictionary()
"""Cluster → the logs of the operators that are at work beside it."""


def failures_beside(cluster: object) -> list[HandlerFailure]:
    """Return what has failed in the operators beside a `Cluster`."""
    return [failure for log in LOGS.get(cluster, ()) for failure in log.failures]


def note_as_told(cluster: object) -> None:
    """Have the operators beside a `Cluster` not fail the test once more: its report tells all."""
    for log in LOGS.get(cluster, ()):
        log.told = True


@contextlib.contextmanager
def listed(cluster: object, log: HandlerLog) -> Iterator[None]:
    """List a log as that of an operator beside a `Cluster`, for the block."""
    logs = LOGS.setdefault(cluster, [])
    logs.append(log)
    try:
        yield
    finally:
        logs.remove(log)


_running: Final = logging.getLogger("kopf._core.reactor.running")


def _is_no_matter_of_course(record: logging.LogRecord) -> bool:
    """Leave out of failed tests' reports what is said of every operator on a thread."""
    return not str(record.msg).startswith("OS signals are ignored")


_lock = threading.Lock()
_before: list[int] = []
"""Levels of the logger that was made to tell everything, once for each who listens."""


@contextlib.contextmanager
def _detailed(logger: logging.Logger) -> Iterator[int]:
    """Have a logger tell everything for the block; gives the level below which nobody looks."""
    with _lock:
        _before.append(_before[0] if _before else logger.level)
        usual = _before[0] or logging.getLogger().level
        logger.setLevel(logging.DEBUG)
    try:
        yield min(usual, logging.INFO)
    finally:
        with _lock:
            level = _before.pop()
            if not _before:
                logger.setLevel(level)
