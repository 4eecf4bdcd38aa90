"""What differs between two structures, for messages that show it.

Upstream prints a diff of Go structures after the first line of such a message; this has its place
and its meaning, not its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.resources.problems import shown


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return the fields that differ, a line for each side."""
    lines: list[str] = []
    for field in sorted({*after, *before}):
        old, new = before.get(field), after.get(field)
        if old != new:
            lines += [f"- {field}: {shown(old)}"] if old is not None else []
            lines += [f"+ {field}: {shown(new)}"] if new is not None else []
    return "\n".join(lines) + "\n"
