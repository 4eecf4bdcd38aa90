"""Aligned tables as text, coloured where somebody looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

_CODES = {"bold": "\x1b[1m", "red": "\x1b[31m", "green": "\x1b[32m", "dim": "\x1b[2m"}
_END = "\x1b[0m"


class Cell(NamedTuple):
    """A text and how it looks on a terminal."""

    text: str
    style: str = ""


class Table:
    """Rows under a heading; columns are aligned to the right but for some."""

    def __init__(
        self, heading: Sequence[str], left: Iterable[int], dispensable: Sequence[int] = ()
    ) -> None:
        """Begin with the heading alone.

        Args:
            heading: A title for each column.
            left: The numbers of the columns that are aligned to the left.
            dispensable: Of those that may be left out where there is no room, least useful first;
                when that is not enough, columns at the right end are.
        """
        self._left = frozenset(left)
        self._dispensable = dispensable
        self._rows: list[list[Cell]] = [[Cell(text, "dim") for text in heading]]

    def add(self, *cells: str | Cell) -> None:
        """Add a row of as many cells as the heading has."""
        self._rows.append([Cell(cell) if isinstance(cell, str) else cell for cell in cells])

    def text(self, *, coloured: bool, width: int | None = None) -> str:
        """Return the table, without columns that are empty in every row.

        Args:
            coloured: Whether to mark styles with a terminal's codes.
            width: Of the terminal: columns that do not fit are left out; None for no bound.
        """
        columns = list(zip(*self._rows, strict=True))
        widths = [max(len(cell.text) for cell in column) for column in columns]
        shown = [i for i, column in enumerate(columns) if any(cell.text for cell in column[1:])]
        spare = [*self._dispensable, *range(len(columns) - 1, 5, -1)]
        for index in spare:
            if not width or sum(widths[i] + 2 for i in shown) - 2 <= width:
                break
            shown = [i for i in shown if i != index]
        lines = []
        for row in self._rows:
            parts = []
            for index in shown:
                cell, is_left = row[index], index in self._left
                size = 0 if is_left and index == shown[-1] else widths[index]
                text = cell.text.ljust(size) if is_left else cell.text.rjust(size)
                parts.append(_styled(text, cell.style) if coloured else text)
            lines.append("  ".join(parts).rstrip())
        return "\n".join(lines)


def _styled(text: str, style: str) -> str:
    return f"{_CODES[style]}{text}{_END}" if style and text.strip() else text


def number(value: float | None) -> str:
    """Return a figure as people read it; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
