"""Whether and when an ended container is started again: pure, by the kubelet's numbers.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
"""

from __future__ import annotations

from orchestrator.node.states import ContainerState
from orchestrator.resources.objects import Object, name_of, namespace_of, uid_of

BACKOFF_INITIAL = 10.0
"""Seconds before the second restart; the first one is immediate."""
BACKOFF_LIMIT = 300.0
"""Seconds the delay doubles up to."""
BACKOFF_RESET = 600.0
"""Seconds a container must have run for its delay to start anew: twice the limit."""
_CLOCK_SLACK = 1.0
"""Seconds by which the clock may seem to lie before a container's end without having been set."""


def restarts(spec: Object, pod_policy: str, exit_code: int) -> bool:
    """Whether a container that ended is started again, if its pod goes on.

    Its own rules come first, then its own policy, then the pod's.

    Args:
        spec: The container's entry in the pod.
        pod_policy: The pod's ``restartPolicy``.
        exit_code: With which it ended.
    """
    own = spec.get("restartPolicy")
    if own is not None and any(
        _matches(rule, exit_code) for rule in spec.get("restartPolicyRules") or ()
    ):
        return True
    return should_restart(own or pod_policy, exit_code)


def comes_back(spec: Object, pod_policy: str, container: ContainerState) -> bool:
    """Whether an ended container is started again, if its pod goes on.

    One whose image changed is, whatever the policy; one that failed a probe is whatever its exit
    code, unless the policy is ``Never``.
    """
    if container.changed:
        return True
    if container.failed_probe and (spec.get("restartPolicy") or pod_policy) != "Never":
        return True
    return restarts(spec, pod_policy, container.exit_code)


def _matches(rule: Object, exit_code: int) -> bool:
    """Whether a restart rule speaks of an exit code; its one action is ``Restart``."""
    codes = rule.get("exitCodes")
    if codes is None:
        return False
    return (exit_code in (codes.get("values") or ())) is (codes.get("operator") == "In")


def should_restart(policy: str, exit_code: int) -> bool:
    """Whether an ended container is started again under a ``restartPolicy``."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def is_due(container: ContainerState, now: float) -> bool:
    """Whether an ended container may start now, also when the clock was set back since its end."""
    return now >= restart_due(container) or now < container.finished_at - _CLOCK_SLACK


def restart_due(container: ContainerState) -> float:
    """When an ended container may start again, seconds since the epoch; may lie in the past.

    One that failed a probe is killed and started in one step: its delay counts from the end of the
    attempt before, so that it is no delay at all for one that has run for longer.
    """
    if _is_expired(container):
        return container.finished_at
    since = container.ended_before if container.failed_probe else container.finished_at
    return since + container.backoff


def next_backoff(container: ContainerState) -> float:
    """Return the delay to hold against the restart after the one that happens now."""
    if container.failed_probe and not container.ended_before:
        return 0.0  # nothing had ended by itself when it was killed
    if _is_expired(container):
        return BACKOFF_INITIAL
    return min(container.backoff * 2, BACKOFF_LIMIT)


def _is_expired(container: ContainerState) -> bool:
    return not container.backoff or (container.finished_at - container.backoff_at > BACKOFF_RESET)


def describe_backoff(pod: Object, container: ContainerState) -> str:
    """Return the kubelet's sentence for a running crash-loop delay."""
    return (
        f"back-off {_duration(container.backoff)} restarting failed container={container.name} "
        f"pod={name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
    )


def _duration(seconds: float) -> str:
    """Format as Go does: ``10s``, ``1m20s``, ``5m0s``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
