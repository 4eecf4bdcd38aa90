"""JSONPaths that are waited for: ``jsonpath={.status.phase}=Running``. Pure.

Names and indexes are followed here; what else the language has is read as printer columns read it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from orchestrator.resources.objects import Object

PREFIX: Final = "jsonpath="
NOTHING: Final = object()
"""What is at a path where nothing is."""

_STEP: Final = re.compile(r"\.?(?P<name>(?:\\.|[^.\[\]])+)|\[(?P<at>-?\d+|'[^']*'|\"[^\"]*\")\]")

Steps: TypeAlias = tuple[str | int, ...]


class AwaitedPath(NamedTuple):
    """A path, and what is to be found at its end.

    Attributes:
        path: Without braces.
        wanted: As text; None for anything.
        steps: Names and indexes; None where it has more than these.
    """

    path: str
    wanted: str | None
    steps: Steps | None

    def value_in(self, obj: Object | None) -> Any:
        """Return what is there, or `NOTHING`.

        Raises:
            ValueError: There are several values, of which nobody could say which is meant.
        """
        if self.steps is not None:
            found: Any = obj
            for step in self.steps:
                try:
                    found = found[step]
                except (KeyError, IndexError, TypeError):
                    return NOTHING
            return found
        from orchestrator.resources.custom.jsonpath import compile_path

        values = [] if obj is None else compile_path(self.path)(obj)
        if len(values) > 1:
            raise ValueError(
                f"{{{self.path}}} has {len(values)} values, and a wait is about one: choose one of "
                "them ([0]), or give a function of the object"
            )
        return values[0] if values else NOTHING

    def holds(self, obj: Object | None) -> bool:
        """Tell whether what is wanted is there."""
        found = self.value_in(obj)
        if found is NOTHING or self.wanted is None:
            return found is not NOTHING and found is not None
        if isinstance(found, bool):
            return str(found).lower() == self.wanted
        return str(found) == self.wanted


@lru_cache(maxsize=256)
def read_path(text: str) -> AwaitedPath:
    """Read ``jsonpath={PATH}=VALUE``, as kubectl does; braces and value may be left out.

    Raises:
        ValueError: It cannot be read.
    """
    given = text.removeprefix(PREFIX)
    braced = given.startswith("{")
    end = _end_of_path(given[braced:], "}" if braced else "=") + braced
    path, rest = given[braced:end].strip(), given[end + braced :]
    if not path or (braced and not given[end:].startswith("}")) or (rest and rest[0] != "="):
        raise ValueError(f"cannot read {text!r}: write jsonpath={{.status.phase}}=Running")
    wanted = rest[1:].strip("'\"") if rest else None
    steps = _steps(path)
    if steps is None:
        from orchestrator.resources.custom.jsonpath import JSONPathError, compile_path

        try:
            compile_path(path)
        except JSONPathError as error:
            raise ValueError(f"cannot read the path {path!r}: {error}") from None
    return AwaitedPath(path, wanted, steps)


def _end_of_path(text: str, end: str) -> int:
    """Return where a path ends: at ``end``, but for brackets and quotes."""
    depth, quote = 0, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "[]":
            depth += 1 if char == "[" else -1
        elif char == end and depth <= 0:
            return at
    return len(text)


def _steps(path: str) -> Steps | None:
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return None
        at = match.end()
        if match["name"] is not None:
            steps.append(match["name"].replace("\\.", "."))
        elif match["at"][0] in "'\"":
            steps.append(match["at"][1:-1])
        else:
            steps.append(int(match["at"]))
    return None if "*" in steps or path.startswith("$") else tuple(steps)
