"""Progress bars on standard error, for people only: nothing where it is no terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


T = TypeVar("T")


class Meter(Protocol):
    """One bar."""

    def advance(self, count: int) -> None:
        """Say that so much more is done."""


def counted(items: Iterable[T], meter: Meter) -> Iterator[T]:
    """Hand items on, and count them."""
    for item in items:
        yield item
        meter.advance(1)


class Progress:
    """Shows nothing; the base of what does."""

    @contextlib.contextmanager
    def meter(self, what: str, total: int) -> Iterator[Meter]:
        """Show a bar while the block runs.

        Args:
            what: Is being counted, in a few words.
            total: How many there will be; 0 when that is not known.
        """
        del what, total
        yield _Silent()

    def title(self, text: str) -> None:
        """Say what the bars that follow are about."""

    def note(self, text: str) -> None:
        """Say something that stays: a line on standard error."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class _Silent:
    def advance(self, count: int) -> None:
        """Do nothing."""


class _Bar:
    def __init__(self, bars: RichProgress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, count: int) -> None:
        """Move the bar on."""
        self._bars.advance(self._task, count)


class Bars(Progress):
    """Bars by rich, drawn four times a second by a thread of its own, and gone when done."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._title = ""

    @contextlib.contextmanager
    def meter(self, what: str, total: int) -> Iterator[Meter]:
        """Show a bar while the block runs."""
        task = self._bars.add_task(
            f"{self._title}: {what}" if self._title else what, total=total or None
        )
        try:
            yield _Bar(self._bars, task)
        finally:
            self._bars.remove_task(task)

    def title(self, text: str) -> None:
        """Say what the bars that follow are about."""
        self._title = text

    def note(self, text: str) -> None:
        """Say something that stays, above the bars."""
        self._bars.console.print(text, highlight=False, markup=False)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Show bars while the block runs, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichBars

    bars = RichBars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        refresh_per_second=4,
        transient=True,
    )
    with bars:
        yield Bars(bars)
