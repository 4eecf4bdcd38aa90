"""Regular expressions as Go writes them (RE2), compiled for Python.

RE2 has no look-around and no back-references, so what is valid there means the same here but for a
few spellings. Python's matcher backtracks, so a hostile pattern costs more here than upstream.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_POSIX: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_CLASSES: Final = {"L": "^\\W\\d_", "Lu": "A-ZÀ-ÖØ-Þ", "Ll": "a-zß-öø-ÿ", "N": "\\d", "Nd": "\\d"}
_FORBIDDEN: Final = ("(?=", "(?!", "(?<=", "(?<!", "(?>", "(?#")


class PatternError(ValueError):
    """A pattern that RE2 would not take either; the message is Go's."""


@lru_cache(maxsize=2048)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; find it anywhere in a text with ``search``.

    Raises:
        PatternError: Not a regular expression.
    """
    for construct in _FORBIDDEN:
        if construct in pattern.replace("\\(", ""):
            shown = construct if construct != "(?#" else "(?#"
            raise PatternError(
                f"error parsing regexp: invalid or unsupported Perl syntax: `{shown}`"
            )
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"error parsing regexp: {error}: `{pattern}`") from error


def _translated(pattern: str) -> str:
    result: list[str] = []
    at, in_class = 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            taken, text = _escape(pattern, at, in_class=in_class)
            result.append(text)
            at += taken
            continue
        if in_class:
            if char == "[" and pattern.startswith("[:", at):
                end = pattern.find(":]", at)
                name = pattern[at + 2 : end].removeprefix("^")
                if end > 0 and name in _POSIX:
                    result.append(_POSIX[name])
                    at = end + 2
                    continue
            result.append("\\[" if char == "[" else char)
            in_class = char != "]"
        elif char == "[":
            in_class = True
            result.append(char)
            # A bracket that stands first belongs to the class.
            if pattern.startswith("^", at + 1):
                result.append("^")
                at += 1
            if pattern.startswith("]", at + 1):
                result.append("\\]")
                at += 1
        elif char == "$":
            result.append("\\Z")  # Python's also matches before a last newline
        else:
            result.append(char)
        at += 1
    return "".join(result)


def _escape(pattern: str, at: int, *, in_class: bool) -> tuple[int, str]:
    """Translate an escape; return its length in the pattern and what stands for it."""
    char = pattern[at + 1]
    if char == "z":
        return 2, "\\Z"
    if char == "Q":
        end = pattern.find("\\E", at + 2)
        end = len(pattern) if end < 0 else end
        return end + 2 - at, re.escape(pattern[at + 2 : end])
    if char == "x" and pattern.startswith("{", at + 2):
        end = pattern.find("}", at)
        return end + 1 - at, re.escape(chr(int(pattern[at + 3 : end], 16)))
    if char in "pP":
        end = pattern.find("}", at) if pattern.startswith("{", at + 2) else at + 2
        name = pattern[at + 2 : end + 1].strip("{}")
        known = _CLASSES.get(name)
        if known is None:
            raise PatternError(
                f"error parsing regexp: invalid character class range: `\\p{{{name}}}`"
            )
        if in_class:
            return end + 1 - at, "A-Za-zÀ-ÖØ-öø-ÿ" if name == "L" else known
        return end + 1 - at, f"[{known}]" if char == "p" else f"[^{known.removeprefix('^')}]"
    if char.isdigit() and char != "0":
        raise PatternError(f"error parsing regexp: invalid escape sequence: `\\{char}`")
    return 2, f"\\{char}"
