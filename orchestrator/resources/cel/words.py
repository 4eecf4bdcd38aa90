"""Words that name nothing in an expression, and that fields are escaped for."""

from __future__ import annotations

RESERVED = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "package",
        "namespace",
        "null",
        "return",
        "true",
        "var",
        "void",
        "while",
    }
)
"""The language's reserved words; https://github.com/google/cel-spec/blob/master/doc/langdef.md."""
