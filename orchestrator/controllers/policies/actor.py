"""The validatingadmissionpolicy-status controller."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.plans import Plan
from orchestrator.controllers.policies.core import RESOURCE, decide_status
from orchestrator.store import ObjectEvent


class PolicyStatusController(Controller[str]):
    """Checks the expressions of each new generation of a policy against the kinds it names."""

    resources = (RESOURCE,)

    def observe(self, event: ObjectEvent) -> None:
        """Mark the policy."""
        if event.type != "DELETED":
            self.queue.mark(event.key.name)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one policy."""
        del now  # nothing here depends on time
        policy = self.store.get(RESOURCE, "", key)
        return None if policy is None else decide_status(policy, self.store.registry)
