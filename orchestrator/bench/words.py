"""Shares, times and amounts as people read them."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """Return a share as per cent with one digit; ``-`` where there is none."""
    return "-" if share is None else f"{100 * share:.1f} %"


def duration(seconds: float | None) -> str:
    """Return a time as people say it: ``250ms``, ``12.5s``, ``3m20s``, ``2h05m``, ``3d04h``."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{1000 * seconds:.0f}ms" if seconds else "0s"
    if seconds < 60:
        return f"{seconds:.1f}s".replace(".0s", "s")
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def amount(resource: str, value: int) -> str:
    """Return an amount of CPU (millicores), memory (bytes) or GPUs (thousandths) in whole units."""
    if resource == "memory":
        return f"{value / 2**30:,.1f}Gi"
    return f"{value / 1000:,.1f}".removesuffix(".0")
