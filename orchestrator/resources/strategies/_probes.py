"""Validation of probes and of what runs at a container's start and end.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    invalid,
    not_negative,
    not_supported,
    required,
)
from orchestrator.resources.strategies._sharing import Part

_PROBED: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOKED: Final = ("exec", "httpGet", "tcpSocket", "sleep")
_NUMBERS: Final = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")


def probes_problems(container: Part, at: str, grace: int | None) -> list[FieldError]:
    """Check the hooks and the three probes of a container that may have them.

    Args:
        container: It.
        at: Its path.
        grace: The pod's seconds of grace, the limit of a sleep.
    """
    found: list[FieldError] = []
    if (lifecycle := container.get("lifecycle")) is not None:
        for hook in ("postStart", "preStop"):
            if (handler := lifecycle.get(hook)) is not None:
                found += _handler(handler, _HOOKED, f"{at}.lifecycle.{hook}", grace)
    for name in PROBES:
        if (probe := container.get(name)) is None:
            continue
        here = f"{at}.{name}"
        found += _probe(probe, here)
        if name == "readinessProbe":
            if (seconds := probe.get("terminationGracePeriodSeconds")) is not None:
                found.append(
                    invalid(
                        f"{here}.terminationGracePeriodSeconds",
                        seconds,
                        "must not be set for readinessProbes",
                    )
                )
        elif (threshold := probe.get("successThreshold") or 0) != 1:
            found.append(invalid(f"{here}.successThreshold", threshold, "must be 1"))
    return found


def _probe(probe: Part, at: str) -> list[FieldError]:
    found = _handler(probe, _PROBED, at, None)
    for field in _NUMBERS:
        found += not_negative(f"{at}.{field}", probe.get(field))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        found.append(
            invalid(f"{at}.terminationGracePeriodSeconds", grace, "must be greater than 0")
        )
    return found


def _handler(
    handler: Part, actions: tuple[str, ...], at: str, grace: int | None
) -> list[FieldError]:
    given = [action for action in actions if handler.get(action) is not None]
    if not given:
        return [required(at, "must specify a handler type")]
    first = given[0]
    found = _action(first, handler[first], f"{at}.{first}", grace)
    found += [
        forbidden(f"{at}.{action}", "may not specify more than 1 handler type")
        for action in given[1:]
    ]
    return found


def _action(kind: str, action: Part, at: str, grace: int | None) -> list[FieldError]:
    match kind:
        case "exec":
            return [] if action.get("command") else [required(f"{at}.command")]
        case "httpGet":
            return _http_get(action, at)
        case "sleep":
            seconds = action.get("seconds") or 0
            if grace is None or 0 <= seconds <= grace:
                return []
            wrong = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            return [invalid(at, seconds, wrong)]
        case _:
            return target_port(f"{at}.port", action.get("port"))


def _http_get(action: Part, at: str) -> list[FieldError]:
    found = [] if action.get("path") else [required(f"{at}.path")]
    found += target_port(f"{at}.port", action.get("port"))
    scheme = action.get("scheme") or ""
    if scheme not in {"HTTP", "HTTPS"}:
        found.append(not_supported(f"{at}.scheme", scheme, ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        found += each_invalid(f"{at}.httpHeaders", name, names.http_header(name))
    return found


def target_port(field: str, port: Any) -> list[FieldError]:
    """Check a port that is a number or the name of one."""
    if isinstance(port, str):
        return each_invalid(field, port, names.port_name(port))
    return each_invalid(field, port or 0, names.port_number(port or 0))
