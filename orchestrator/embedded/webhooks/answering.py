"""Functions of a test that a request waits for: time stands until they have answered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from orchestrator.embedded.errors import ClusterError


class _Question:
    """What somebody was asked. Tasks begun meanwhile inherit it, and may outlive the answer."""

    __slots__ = ("open", "who")

    def __init__(self, who: str) -> None:
        self.who = who
        self.open = True


_question: ContextVar[_Question | None] = ContextVar("question", default=None)


@contextlib.contextmanager
def answering(who: str) -> Iterator[None]:
    """Note that a request waits for what is done in the block, by threads and tasks of it too.

    Args:
        who: Whom it is asked of, for errors: ``the webhook NAME``.
    """
    question = _Question(who)
    before = _question.set(question)
    try:
        yield
    finally:
        question.open = False
        _question.reset(before)


def asked_of() -> str | None:
    """Return of whom a request waits for an answer here; None where none does."""
    question = _question.get()
    return question.who if question is not None and question.open else None


def refuse_to_wait() -> None:
    """Refuse what takes time of the cluster where a request waits for the answer.

    Raises:
        ClusterError: It does.
    """
    if who := asked_of():
        raise ClusterError(
            f"{who} is being asked about a request, and time stands until it has answered: advance "
            "and wait before or after, or in a task that goes on after the answer"
        )
