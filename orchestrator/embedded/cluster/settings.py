"""How a cluster's time passes and how clients reach it, where one follows from the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from orchestrator.embedded.clock.clocks import Mode
from orchestrator.embedded.errors import ClusterError
from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a cluster's time passes, and how clients reach it; the arguments of `Cluster`."""

    mode: Mode
    epoch: float | None
    listen: Literal["http", "https"] | Path | None
    grace: float


def setting_of(given: Mapping[str, Any]) -> Setting:
    """Tell what was meant where some arguments follow from others.

    Args:
        given: All of them by name, checked one by one.

    Raises:
        ClusterError: Two of them contradict each other.
    """
    runtime, time, listen = given["runtime"], given["time"], given["listen"]
    mode: Mode = time or ("real" if runtime == "process" else "manual")
    if runtime == "process" and mode != "real":
        raise ClusterError(
            f"processes live in real time: time={mode!r} goes with runtime='simulated' only"
        )
    if mode == "auto" and listen is not None and not isinstance(listen, Path):
        if listen != "http":
            raise ClusterError(
                "time='auto' goes without ports: nobody could say when clients are done; "
                "leave listen out, or choose time='manual'"
            )
        listen = None
    return Setting(mode=mode, epoch=given["epoch"], listen=listen, grace=given["client_grace"])
