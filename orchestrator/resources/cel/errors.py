"""What can be wrong with an expression, and what can go wrong with it."""

from __future__ import annotations

from typing import NamedTuple


class Issue(NamedTuple):
    """One thing wrong with an expression's text.

    Attributes:
        position: Offset in the text, in code points.
        message: Upstream's sentence, ``undeclared reference to 'x' (in container '')``.
    """

    position: int
    message: str


class CompileError(Exception):
    """An expression that is refused; the text is upstream's, with a caret under each issue.

    Attributes:
        issues: What is wrong, in the order of the text.
    """

    def __init__(self, source: str, issues: list[Issue]) -> None:
        self.issues = issues
        super().__init__("\n".join(_shown(source, issue) for issue in issues))


class EvaluationError(Exception):
    """An expression that has no value for its input, ``no such key: x``."""


class NoSuchOverload(EvaluationError):  # noqa: N818 - named after the words of its message
    """Values of types that a function is not declared for."""

    def __init__(self) -> None:
        super().__init__("no such overload")


class BudgetExceeded(EvaluationError):  # noqa: N818 - a state of the budget, as upstream names it
    """An evaluation that was broken off since it cost more than it may."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def _shown(source: str, issue: Issue) -> str:
    before = source[: issue.position]
    line = before.count("\n")
    column = issue.position - (before.rfind("\n") + 1)
    text = source.split("\n")[line] if source else ""
    # The full-width dots and carets under wide characters are cel-go's.
    marks = "".join("\uff0e" if ord(char) > 0x7F else "." for char in text[:column])
    caret = "\uff3e" if column < len(text) and ord(text[column]) > 0x7F else "^"
    head = f"ERROR: <input>:{line + 1}:{column + 1}: {issue.message}"
    return f"{head}\n | {text}\n | {marks}{caret}"
