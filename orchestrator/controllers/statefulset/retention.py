"""Who owns a StatefulSet's claims, by its ``persistentVolumeClaimRetentionPolicy``. Pure.

Nothing here deletes a claim: an owner reference to the set or to the pod has the garbage
collector do so when that one goes. Rules: ``isClaimOwnerUpToDate`` and
``updateClaimOwnerRefForSetAndPod`` of k8s.io/kubernetes/pkg/controller/statefulset.
"""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.controllers._owners import controller_reference, without_owners
from orchestrator.resources.objects import Object, meta, spec_of, uid_of, with_meta


class Retention(NamedTuple):
    """What becomes of claims.

    Attributes:
        with_set: They go when the StatefulSet is deleted.
        with_scale: They go when their pod is scaled away.
    """

    with_set: bool
    with_scale: bool

    @staticmethod
    def of(stateful_set: Object) -> Retention:
        """Read a StatefulSet's policy."""
        policy = spec_of(stateful_set).get("persistentVolumeClaimRetentionPolicy") or {}
        return Retention(
            policy.get("whenDeleted") == "Delete", policy.get("whenScaled") == "Delete"
        )


def owned_claim(claim: Object, stateful_set: Object, pod: Object, *, condemned: bool) -> Object:
    """Return a claim with the owners it should have; the same object where it has them.

    A claim that something else controls is left to that: both references are taken away.

    Args:
        claim: As committed, or about to be created.
        stateful_set: As committed.
        pod: Whose claim it is, as committed.
        condemned: Whether the pod is scaled away.
    """
    retention = Retention.of(stateful_set)
    references = meta(claim).get("ownerReferences") or []
    if not references and not any(retention):
        return claim
    wanted: list[Object] = []
    if not has_conflict(claim, stateful_set, pod):
        if condemned and retention.with_scale:
            wanted.append(pod)
        elif retention.with_set:
            wanted.append(stateful_set)
    ours = {uid_of(stateful_set), uid_of(pod)}
    present = {ref.get("uid") for ref in references if ref.get("uid") in ours}
    if present == {uid_of(owner) for owner in wanted}:
        return claim
    bare = without_owners(claim, ours)
    kept = meta(bare).get("ownerReferences") or []
    added = [controller_reference(owner) for owner in wanted]
    return with_meta(bare, ownerReferences=[*kept, *added] or None)


def has_conflict(claim: Object, stateful_set: Object, pod: Object) -> bool:
    """Tell whether something other than the set and the pod controls a claim."""
    return any(
        reference.get("controller")
        and reference.get("uid") not in {uid_of(stateful_set), uid_of(pod)}
        for reference in meta(claim).get("ownerReferences") or ()
    )


def is_stale(claim: Object, pod: str) -> bool:
    """Tell whether a claim belongs to an earlier pod of this name, and so will go with it."""
    return any(
        reference.get("kind") == "Pod" and reference.get("name") == pod
        for reference in meta(claim).get("ownerReferences") or ()
    )
