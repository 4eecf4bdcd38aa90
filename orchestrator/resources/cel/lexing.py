"""Text to tokens, by the lexical rules of the CEL specification."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from orchestrator.resources.cel.errors import Issue
from orchestrator.resources.cel.values import Uint

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
KEYWORDS = frozenset({"true", "false", "null", "in"})
"""The reserved words that the grammar itself uses; they can't name a field either."""


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: ``IDENTIFIER``, ``NUM_INT``, ``NUM_UINT``, ``NUM_FLOAT``, ``STRING``, ``BYTES``,
            ``<EOF>``, or the text of a symbol or keyword.
        position: Offset in the text.
        text: As written.
        value: Of a literal; an integer's is its magnitude, which a sign may still follow.
    """

    kind: str
    position: int
    text: str
    value: Any = None


_TOKEN = re.compile(
    r"""(?P<space>(?:[ \t\r\n\f]|//[^\n]*)+)
    |(?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:\"{3}|'{3}|"|'))
    |(?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    |(?P<int>(?:0x[0-9a-fA-F]+|[0-9]+)[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<escaped>`[A-Za-z0-9_.\-/ ]+`)
    |(?P<symbol>&&|\|\||<=|>=|==|!=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE,
)
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "`": "`",
    "?": "?",
}
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})"
    r"|([abfnrtv\\'\"`?]))",
)


def tokens(source: str) -> tuple[list[Token], list[Issue]]:
    """Split an expression; what is no token becomes an issue and is skipped."""
    found: list[Token] = []
    issues: list[Issue] = []
    at, end = 0, len(source)
    while at < end:
        match = _TOKEN.match(source, at)
        if match is None:
            # Half of a symbol takes what follows with it, as ANTLR's lexer does.
            size = 2 if source[at] in "=&|" else 1
            issues.append(_unrecognized(source[at : at + size], at))
            at += size
            continue
        kind = match.lastgroup
        text = match.group()
        if kind == "string":
            token, after = _string(source, at, text, issues)
            if token is not None:
                found.append(token)
            at = after
            continue
        if kind != "space":
            found.append(_token(kind or "", at, text))
        at = match.end()
    found.append(Token("<EOF>", end, "<EOF>"))
    return found, issues


def _token(kind: str, at: int, text: str) -> Token:
    if kind == "name":
        return Token(text if text in KEYWORDS else "IDENTIFIER", at, text, text)
    if kind == "escaped":
        return Token("ESC_IDENTIFIER", at, text, text[1:-1])
    if kind == "float":
        return Token("NUM_FLOAT", at, text, float(text))
    if kind == "int":
        digits = text.rstrip("uU")
        number = int(digits, 16) if digits.startswith("0x") else int(digits[:30] or "0")
        if len(digits) > 30 and not digits.startswith("0x"):
            number = UINT_MAX + 1
        if digits != text:
            return Token("NUM_UINT", at, text, number)
        return Token("NUM_INT", at, text, number)
    return Token(text, at, text)


def _unrecognized(text: str, at: int) -> Issue:
    return Issue(at, f"Syntax error: token recognition error at: '{text}'")


def _string(source: str, at: int, opening: str, issues: list[Issue]) -> tuple[Token | None, int]:
    quote = opening.lstrip("rRbB")
    prefix = opening[: len(opening) - len(quote)].lower()
    raw, binary = "r" in prefix, "b" in prefix
    start = at + len(opening)
    place = start
    while True:
        if place >= len(source) or (len(quote) == 1 and source[place] in "\r\n"):
            issues.append(_unrecognized(source[at:place], at))
            return None, place
        if source.startswith(quote, place):
            break
        place += 2 if source[place] == "\\" and not raw else 1
    body = source[start:place]
    end = place + len(quote)
    text = source[at:end]
    if raw:
        value: Any = body.encode() if binary else body
    else:
        try:
            value = _unescaped_bytes(body) if binary else _unescaped(body)
        except ValueError as error:
            # What the lexer cannot read as an escape ends its token there.
            issues.append(_unrecognized(f"{opening}{error}", at))
            return None, end
    return Token("BYTES" if binary else "STRING", at, text, value), end


def _unescaped(body: str) -> str:
    if "\\" not in body:
        return body
    parts: list[str] = []
    at = 0
    while (slash := body.find("\\", at)) >= 0:
        parts.append(body[at:slash])
        match = _ESCAPE.match(body, slash)
        if match is None:
            raise ValueError(body[: slash + 2])
        parts.append(_escaped(match, body[: match.end()]))
        at = match.end()
    parts.append(body[at:])
    return "".join(parts)


def _escaped(match: re.Match[str], upto: str) -> str:
    hexadecimal = match[1] or match[2] or match[3] or match[4]
    if hexadecimal:
        code = int(hexadecimal, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ValueError(upto)
        return chr(code)
    return chr(int(match[5], 8)) if match[5] else _ESCAPES[match[6]]


def _unescaped_bytes(body: str) -> bytes:
    parts: list[bytes] = []
    at = 0
    while (slash := body.find("\\", at)) >= 0:
        parts.append(body[at:slash].encode())
        match = _ESCAPE.match(body, slash)
        if match is None or match[3] or match[4]:
            raise ValueError(body[: slash + 2])
        parts.append(_escaped(match, body).encode("latin-1"))
        at = match.end()
    parts.append(body[at:].encode())
    return b"".join(parts)


def number(token: Token, *, negative: bool) -> Any:
    """Return the value of a numeric token with its sign; None when it does not fit."""
    value = token.value
    if token.kind == "NUM_FLOAT":
        return -value if negative else value
    if token.kind == "NUM_UINT":
        return None if value > UINT_MAX or negative else Uint(value)
    value = -value if negative else value
    return value if INT_MIN <= value <= INT_MAX else None
