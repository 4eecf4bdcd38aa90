"""The clusterrole-aggregation controller."""

from __future__ import annotations

from orchestrator.controllers.clusterroles.core import RESOURCE, decide_aggregation
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.plans import Plan
from orchestrator.store import ObjectEvent


class ClusterRoleAggregationController(Controller[str]):
    """Gives aggregated ClusterRoles the rules of those they select.

    Any change of a ClusterRole may concern every aggregated one; they are few, so all are looked
    at again. Roles of others that select one another settle after as many rounds as they are deep.
    """

    resources = (RESOURCE,)

    def reset(self) -> None:
        """Forget which roles are aggregated."""
        self._aggregated: set[str] = set()

    def observe(self, event: ObjectEvent) -> None:
        """Mark every aggregated role."""
        name = event.key.name
        if event.type == "DELETED" or event.object.get("aggregationRule") is None:
            self._aggregated.discard(name)
        else:
            self._aggregated.add(name)
        for aggregated in sorted(self._aggregated):
            self.queue.mark(aggregated)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one role."""
        del now  # nothing here depends on time
        role = self.store.get(RESOURCE, "", key)
        if role is None:
            return None
        return decide_aggregation(role, self.store.list(RESOURCE))
