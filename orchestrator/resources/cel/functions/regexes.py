"""Regular expressions. RE2's, in time linear in the text, as upstream's are."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import EvaluationError

REGEXES = Library()


@lru_cache(1024)
def compiled(pattern: str) -> Any:
    """Compile a pattern with RE2.

    Raises:
        EvaluationError: It is no pattern of RE2.
    """
    # Imported when the first pattern is met: most servers never meet one.
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0] if error.args else b""
        why = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        raise EvaluationError(f"error parsing regexp: {why}") from None


@REGEXES.function("matches", "(string, string) bool", "string.(string) bool")
def _matches(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


@REGEXES.function("find", "string.(string) string")
def _find(text: str, pattern: str) -> str:
    found = compiled(pattern).search(text)
    return found.group() if found is not None else ""


@REGEXES.function("findAll", "string.(string) list<string>", "string.(string, int) list<string>")
def _find_all(text: str, pattern: str, count: int = -1) -> list[str]:
    found: list[str] = []
    for match in compiled(pattern).finditer(text):
        if 0 <= count <= len(found):
            break
        found.append(match.group())
    return found
