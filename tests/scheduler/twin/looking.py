"""How many random clusters the comparisons look at."""

from __future__ import annotations

from hypothesis import Phase, settings


def look_at(hundreds: float) -> settings:
    """Look at so many hundreds of clusters, or thousands in the thorough profile."""
    return settings(
        max_examples=int(hundreds * settings().max_examples),
        report_multiple_bugs=False,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    )
