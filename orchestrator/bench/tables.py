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

    def __init__(self, heading: Sequence[str], left: Iterable[int]) -> None:
        self._left = frozenset(left)
        self._rows: list[list[Cell]] = [[Cell(text, "dim") for text in heading]]

    def add(self, *cells: str | Cell) -> None:
        """Add a row of as many cells as the heading has."""
        self._rows.append([Cell(cell) if isinstance(cell, str) else cell for cell in cells])

    def text(self, *, coloured: bool, width: int | None = None) -> str:
        """Return the table, without columns that are empty in every row.

        Args:
            coloured: Whether to mark styles with a terminal's codes.
            width: Columns of the terminal: cells at the right end that do not fit are left out.
        """
        filled = [any(row[i].text for row in self._rows[1:]) for i in range(len(self._rows[0]))]
        columns = list(zip(*self._rows, strict=True))
        widths = [max(len(cell.text) for cell in column) for column in columns]
        shown = len(widths)
        widths = [size if full else -2 for size, full in zip(widths, filled, strict=True)]
        while width and shown > 6 and sum(widths[:shown]) + 2 * (shown - 1) > width:
            shown -= 1
        lines = []
        for row in self._rows:
            parts = []
            for index, cell in enumerate(row[:shown]):
                if not filled[index]:
                    continue
                last = index == shown - 1 and index in self._left
                size = 0 if last else widths[index]
                text = cell.text.ljust(size) if index in self._left else cell.text.rjust(size)
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
