"""What a fault is asked to be is looked at before it is one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from orchestrator.embedded.arguments import span_of, text_of, whole_of

_PATTERNS: Final = ("subresource", "namespace", "name", "user", "user_agent", "message")
_SEVERAL: Final = ("verb", "kind")
_WHOLE: Final = ("times", "after", "every", "events", "retry_after")


def check_fault(given: Mapping[str, Any]) -> None:
    """Refuse arguments of `Faults.api` that can't be meant.

    Args:
        given: All of them by name.

    Raises:
        TypeError: One of them is of another type than any that could be.
        ValueError: One of them is no length of time that can pass, or negative.
    """
    for name in _PATTERNS:
        if given[name] not in (None, ""):
            text_of(given[name], name)
    for name in _SEVERAL:
        _check_texts(given[name], name)
    for name in _WHOLE:
        if given[name] is not None:
            whole_of(given[name], name)
    chance = given["probability"]
    if not isinstance(chance, int | float) or isinstance(chance, bool):
        raise TypeError(f"probability={chance!r}: give a number above 0, and 1 at most")
    if given["where"] is not None and not callable(given["where"]):
        raise TypeError(f"where={given['where']!r}: give a function of the request that says yes")
    _check_latency(given["latency"])
    span_of(given["delay_watch"], "delay_watch")
    if not isinstance(given["stale_watch"], bool):
        span_of(given["stale_watch"], "stale_watch")


def _check_texts(given: Any, name: str) -> None:
    if given is None or isinstance(given, str):
        return
    if not isinstance(given, Collection):
        raise TypeError(f"{name}={given!r}: give a text, or several in a list")
    for each in given:
        text_of(each, name)


def _check_latency(given: Any) -> None:
    pair = given if isinstance(given, tuple) else (given, given)
    if len(pair) != 2:
        raise ValueError(f"latency={given!r}: give seconds, or the least and the most of them")
    low, high = (span_of(each, "latency") for each in pair)
    if low > high:
        raise ValueError(f"latency={given!r}: the least seconds come before the most")
