"""Durations and ages as people read them: ``45s``, ``5m12s``, ``3h20m``, ``3d4h``."""

from __future__ import annotations

from orchestrator.resources.timestamps import parse_time

UNKNOWN = "<unknown>"


def human_duration(seconds: float) -> str:
    """Return a duration with two or three significant figures, as upstream's ``HumanDuration``.

    A little below zero is 0s, since clocks differ; further below is ``<invalid>``.
    """
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(whole, 0)}s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 10:
        return _pair(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 8 * 365:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(major: int, unit: str, minor: int, below: str) -> str:
    return f"{major}{unit}{minor}{below}" if minor else f"{major}{unit}"


def since(timestamp: str | None, now: float) -> str:
    """Return how long ago a timestamp was; ``<unknown>`` without one."""
    if not timestamp:
        return UNKNOWN
    try:
        return human_duration(now - parse_time(timestamp))
    except ValueError:
        return UNKNOWN
