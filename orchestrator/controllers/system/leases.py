"""The controller that removes what API servers which are gone left behind.

Each API server of a cluster has a Lease by which others know it. This one has none, for there are
no others; but a tool that acts as one may have left some.
Rules: k8s.io/kubernetes/pkg/controlplane/controller/apiserverleasegc.
"""

from __future__ import annotations

from typing import Final

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.plans import Deletion, Plan
from orchestrator.resources.objects import Object, is_deleting, labels_of, spec_of
from orchestrator.resources.timestamps import parse_time
from orchestrator.store import ObjectEvent

LEASES: Final = "leases.coordination.k8s.io"
NAMESPACE: Final = "kube-system"
IDENTITY: Final = ("apiserver.kubernetes.io/identity", "kube-apiserver")


def decide_lease(lease: Object, now: float) -> Plan:
    """Return the end of an API server's Lease that has expired, or when to look at it again.

    Args:
        lease: As committed.
        now: Wall seconds.
    """
    plan = Plan()
    label, value = IDENTITY
    if labels_of(lease).get(label) != value or is_deleting(lease):
        return plan
    renewed = spec_of(lease).get("renewTime")
    seconds = spec_of(lease).get("leaseDurationSeconds")
    # API servers always write both, so that a Lease without them is none of a living one.
    left = parse_time(renewed) + seconds - now if renewed and seconds else 0.0
    if left <= 0:
        plan.delete.append(Deletion(LEASES, lease, current=True))
    else:
        plan.look_again(left)
    return plan


class LeaseCollector(Controller[str]):
    """Removes expired Leases of API servers. Keys are names in ``kube-system``."""

    resources = (LEASES,)

    def observe(self, event: ObjectEvent) -> None:
        """Mark an API server's Lease."""
        label, value = IDENTITY
        if event.key.namespace == NAMESPACE and labels_of(event.object).get(label) == value:
            self.queue.mark(event.key.name)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one Lease."""
        lease = self.store.get(LEASES, NAMESPACE, key)
        return None if lease is None else decide_lease(lease, now)
