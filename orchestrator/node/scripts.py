"""What annotations make simulated containers do, besides starting and ending; pure.

Read anew each time they matter, so that they may be changed while a pod runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.node.annotations import PREFIX
from orchestrator.node.probes import SUCCESS, Finding, Kind, Outcome
from orchestrator.resources.objects import Object, annotations_of, spec_of

_IMPLIED: Object = {"periodSeconds": 1, "failureThreshold": 1}
"""The readiness probe of a container that a script makes unready though it has none."""
_UNREADY = ("unready", "ready-after-seconds")
_ABOUT: Mapping[Kind, tuple[str, ...]] = {
    Kind.READINESS: _UNREADY,
    Kind.STARTUP: ("started-after-seconds",),
    Kind.LIVENESS: ("live-fails-after-seconds",),
}
"""Which words speak of a probe."""
NOTHING_SAID: Mapping[str, str] = MappingProxyType({})
"""Words of who says nothing."""


_HOOKS: Mapping[str, str] = {"postStart": "post-start", "preStop": "pre-stop"}


class Forecast(NamedTuple):
    """How a simulated probe goes.

    Attributes:
        finding: Now.
        until: When that may change, seconds since the epoch; None for never.
    """

    finding: Finding
    until: float | None = None


def script_of(
    pod: Object, container: Object, words: Mapping[str, str] = NOTHING_SAID
) -> Mapping[str, str]:
    """Return what a pod's annotations say of one of its containers, without the prefix.

    Those with its name (``NAME.run-seconds``) win; those without one speak of main containers.

    Args:
        pod: As it is now.
        container: Its entry in the pod.
        words: What is said of its image: holds where annotations say nothing.
    """
    annotations = annotations_of(pod)
    if not annotations:
        return words
    whose = f"{PREFIX}{container['name']}."
    main = not any(
        item is container or item == container
        for field in ("initContainers", "ephemeralContainers")
        for item in spec_of(pod).get(field) or ()
    )
    found = {}
    for key, value in annotations.items():
        if key.startswith(whose):
            found[key.removeprefix(whose)] = value
        elif main and key.startswith(PREFIX):
            found.setdefault(key.removeprefix(PREFIX), value)
    return {**words, **found} if words else found


def implied_probe(
    pod: Object, container: Object, words: Mapping[str, str] = NOTHING_SAID
) -> Object | None:
    """Return the readiness probe that a script gives a container which has none."""
    script = script_of(pod, container, words)
    return _IMPLIED if any(key in script for key in _UNREADY) else None


def is_scripted(pod: Object, container: Object, kind: Kind) -> bool:
    """Tell whether a pod's annotations speak of a probe."""
    script = script_of(pod, container)
    return any(key in script for key in _ABOUT[kind])


def foresee(
    pod: Object,
    container: Object,
    kind: Kind,
    started_at: float,
    now: float,
    words: Mapping[str, str] = NOTHING_SAID,
) -> Forecast:
    """Tell how a probe goes; what nothing is said of succeeds for ever.

    Args:
        pod: As it is now.
        container: Its entry in the pod.
        kind: Which probe.
        started_at: When the container was started, seconds since the epoch.
        now: Seconds since the epoch.
        words: What is said of its image.
    """
    script = script_of(pod, container, words)
    try:
        match kind:
            case Kind.READINESS:
                if _is_on(script.get("unready")):
                    return Forecast(_failing("unready"))
                return _from(script, "ready-after-seconds", started_at, now, good=True)
            case Kind.STARTUP:
                return _from(script, "started-after-seconds", started_at, now, good=True)
            case _:
                return _from(script, "live-fails-after-seconds", started_at, now, good=False)
    except ValueError as error:
        return Forecast(Finding(Outcome.FAILURE, f"annotation under {PREFIX}: {error}"))


def is_hook_scripted(pod: Object, container: Object, hook: str) -> bool:
    """Tell whether a pod's annotations speak of a hook."""
    script = script_of(pod, container)
    return any(key.startswith(_HOOKS[hook]) for key in script)


def hook_of(
    pod: Object, container: Object, hook: str, words: Mapping[str, str] = NOTHING_SAID
) -> tuple[float, str]:
    """Return how many seconds a hook takes and why it fails, ``""`` if it does not.

    Args:
        pod: As it is now.
        container: Its entry in the pod.
        hook: ``postStart`` or ``preStop``.
        words: What is said of its image.
    """
    script = script_of(pod, container, words)
    name = _HOOKS[hook]
    action = container["lifecycle"][hook]
    try:
        given = script.get(f"{name}-seconds")
        slept = (action.get("sleep") or {}).get("seconds") or 0
        seconds = max(0.0, float(slept if given is None else given))
    except ValueError as error:
        return 0.0, f"annotation under {PREFIX}: {error}"
    if "tcpSocket" in action:
        return seconds, "invalid handler"
    return seconds, "scripted" if _is_on(script.get(f"{name}-fails")) else ""


def message_of(pod: Object, container: Object, words: Mapping[str, str] = NOTHING_SAID) -> str:
    """Return the termination message of a simulated container, or ``""``."""
    return script_of(pod, container, words).get("termination-message", "")


def _is_on(text: str | None) -> bool:
    return text is not None and text.lower() not in ("", "false", "0", "no")


def _failing(key: str) -> Finding:
    return Finding(Outcome.FAILURE, f"{PREFIX}{key}")


def _from(
    script: Mapping[str, str], key: str, started_at: float, now: float, *, good: bool
) -> Forecast:
    """Succeed from some seconds after the start on (``good``), or until then."""
    given = script.get(key)
    if given is None:
        return Forecast(SUCCESS)
    turn = started_at + float(given)
    passed = now >= turn
    finding = SUCCESS if passed is good else _failing(key)
    return Forecast(finding, None if passed else turn)
