"""Regular expressions of schemas: RE2's, as upstream's are, in time linear in the text.

RE2's binding takes microseconds for each text, most of it for encodings. A pattern that can't make
a backtracking matcher try many ways, and that means the same to Python, is matched by Python as
long as the text is short.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

SHORT: Final = 256
"""Characters up to which Python's matcher is used: two loops make at most this squared of steps."""
_LOOPS: Final = 2
_SAME_ESCAPES: Final = frozenset("dDwWbB.-/^$*+?()[]{}|\\:@_\"',;=#%&<>~!`")
_QUANTIFIER: Final = re.compile(r"[*+]|\{\d+(,\d*)?\}")
_WORDS: Final = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "bad repetition operator": "invalid nested repetition operator",
    "no argument for repetition operator": "missing argument to repetition operator",
    "trailing \\": "trailing backslash at end of expression",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "invalid named capture group": "invalid named capture",
}
"""What RE2 in C++ says, and what Go's says of the same."""


class PatternError(ValueError):
    """A text that is no pattern; the message is Go's."""


@lru_cache(maxsize=2048)
def compile_pattern(pattern: str) -> Callable[[str], Any]:
    """Compile a pattern into a function that finds it anywhere in a text; falsy where it is not.

    Raises:
        PatternError: Not a regular expression.
    """
    search: Callable[[str], Any] = _compiled(pattern).search
    if not is_tame(pattern):
        return search
    try:
        quick = re.compile(_ending(pattern), re.ASCII).search
    except re.error:
        return search  # RE2 takes a few things that Python does not, as an empty repetition

    def find(text: str) -> Any:
        return quick(text) if len(text) <= SHORT else search(text)

    return find


def _compiled(pattern: str) -> Any:
    import re2  # when the first pattern is met: most servers never meet one

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        what, _, where = text.partition(": ")
        shown = _WORDS.get(what, what)
        at = f": `{where}`" if where else ""
        raise PatternError(f"error parsing regexp: {shown}{at}") from None


def is_tame(pattern: str) -> bool:
    """Tell whether Python reads a pattern as RE2 does, and has few ways to match it."""
    loops = at = 0
    inside = False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            if pattern[at + 1 : at + 2] not in _SAME_ESCAPES:
                return False
            at += 2
            continue
        if inside:
            if char == "[":
                return False
            inside = char != "]"
        elif char == "[":
            inside = True
            at += pattern.startswith("^", at + 1)
            at += pattern.startswith("]", at + 1)
        elif pattern.startswith("(?", at) and not pattern.startswith("(?:", at):
            return False
        elif (found := _QUANTIFIER.match(pattern, at)) is not None:
            loops += 1
            if loops > _LOOPS or pattern[at - 1 : at] == ")":
                return False
            at = found.end()
            continue
        elif char == "{":
            return False  # stands for itself, and not everywhere for Python
        at += 1
    return True


def _ending(pattern: str) -> str:
    """Let ``$`` stand for the very end: Python's also matches before a last newline."""
    return re.sub(
        r"\\.|\[\^?\]?(?:\\.|[^\]])*\]|\$",
        lambda found: r"\Z" if found[0] == "$" else found[0],
        pattern,
    )
