"""What a user reads about a pod that no node takes."""

from __future__ import annotations

from tests.scheduler.twin.filtering import filter_all, histogram, prefilter
from tests.scheduler.twin.preempting import preempt
from tests.scheduler.twin.snapshot import DEFAULT_PROFILE, Object, Profile, Snapshot


def fit_error(snapshot: Snapshot, pod: Object, profile: Profile = DEFAULT_PROFILE) -> str:
    """Return what the user reads when no node takes the pod and preemption does not help."""
    total = len(snapshot.nodes)
    if total == 0:
        return "no nodes available to schedule pods"
    rejected, _ = prefilter(snapshot, pod, profile)
    if rejected is not None:
        # DynamicResources comes before preemption and finds nothing that it had prepared, since
        # its own PreFilter was not reached: that is the "not found".
        return f"0/{total} nodes are available: {', '.join(rejected.reasons)}. not found"
    verdicts = filter_all(snapshot, pod, profile)
    reasons = [reason for verdict in verdicts.values() if verdict for reason in verdict.reasons]
    after = preempt(snapshot, pod, profile)
    message = histogram(total, reasons)
    if after.candidates:
        return message
    return f"{message} no new claims to deallocate, preemption: {after.message}"
