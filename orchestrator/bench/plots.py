"""Drawing with matplotlib, which the extra ``bench`` brings: loaded when something is drawn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class PlotError(Exception):
    """Nothing can be drawn; the message says what to do."""


COLOURS = ("#2a6f97", "#e07a3f", "#4c956c", "#8d5a97", "#b5a642", "#7f7f7f")
"""For what is compared, in this order: told apart by the colour-blind too."""


def require() -> None:
    """Find out before a long run whether something can be drawn at its end.

    Raises:
        PlotError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise PlotError(
            "plots need matplotlib, which is not installed: pip install 'orchestrator[bench]'"
        ) from error
    mpl.use("Agg")


@contextlib.contextmanager
def figure(file: Path, width: float, height: float) -> Iterator[tuple[Any, Any]]:
    """Give the block a figure with one pair of axes, and write it to ``file`` as SVG.

    Args:
        file: Where it goes; the same drawing makes the same bytes.
        width: In inches.
        height: In inches.

    Raises:
        PlotError: matplotlib is not installed.
    """
    require()
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    looks = {
        "svg.hashsalt": "orchestrator",
        "svg.fonttype": "none",
        "font.size": 10,
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "axes.axisbelow": True,
    }
    with mpl.rc_context(looks):
        drawing, axes = plt.subplots(figsize=(width, height), layout="constrained")
        try:
            yield drawing, axes
            drawing.savefig(file, format="svg", metadata={"Date": None})
        finally:
            plt.close(drawing)
