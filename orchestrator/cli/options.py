"""The options of ``orchestrator up``: their defaults and bounds, and a quick way to read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

NODES_MAX: Final = 100_000
PORT_MAX: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What the command line asked for; see the options of ``orchestrator up``."""

    nodes: int = 3
    data_dir: Path | None = None
    kubeconfig: Path | None = None
    host: str = "127.0.0.1"
    port: int = 6443
    insecure_http: bool = False
    authorization_mode: Literal["RBAC", "AlwaysAllow"] = "RBAC"
    runtime: Literal["process", "simulated"] = "process"
    kubernetes_version: str = "1.35"
    scheduler_config: Path | None = None
    no_metrics: bool = False
    log_level: str = "info"
    log_json: bool = False


DEFAULTS: Final = UpOptions()
_BOUNDS: Final = {"nodes": NODES_MAX, "port": PORT_MAX}
_PATHS: Final = frozenset({"data_dir", "kubeconfig", "scheduler_config"})
_CHOICES: Final = {
    "authorization_mode": frozenset({"RBAC", "AlwaysAllow"}),
    "runtime": frozenset({"process", "simulated"}),
}


def read_plainly(words: Sequence[str]) -> UpOptions | None:
    """Read ``up``'s options where nothing about them is unusual.

    typer takes a tenth of a second to load, as long as all of the cluster's own modules, and a
    daemon never needs it again. So ``up`` asks it only when this gives up: for help, for what is
    misspelt, abbreviated or out of bounds, and it says what is wrong.

    Args:
        words: What follows ``up`` on the command line.

    Returns:
        The options; None when typer should look at them.
    """
    known = {f"--{field.name.replace('_', '-')}": field.name for field in fields(UpOptions)}
    found: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        name = known.get(option)
        if name is None:
            return None
        parsed = _parse(name, value if equals else None, rest)
        if parsed is None:
            return None
        found[name] = parsed
    return UpOptions(**found)


def _parse(name: str, value: str | None, rest: Iterator[str]) -> Any:
    """Return an option's value, taken from ``rest`` where it needs one; None when it is odd."""
    if isinstance(getattr(DEFAULTS, name), bool):
        return True if value is None else None
    if value is None:
        value = next(rest, "-")
    if not value or value.startswith("-"):
        return None
    if name in _BOUNDS:
        plain = value.isascii() and value.isdigit() and int(value) <= _BOUNDS[name]
        return int(value) if plain else None
    if name in _PATHS:
        return Path(value)
    if name in _CHOICES and value not in _CHOICES[name]:
        return None
    return value
