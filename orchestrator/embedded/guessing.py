"""What somebody meant who has misspelt a name. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: object, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name that is nearly the same, if there is one.

    Args:
        name: What was written.
        names: What there is.
        cutoff: How much has to be the same, up to 1.
    """
    import difflib  # only who was refused something needs it

    found = difflib.get_close_matches(str(name), list(names), 1, cutoff)
    return found[0] if found else None
