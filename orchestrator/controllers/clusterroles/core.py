"""Keeping the rules of aggregated ClusterRoles. Pure.

`orchestrator.controllers.clusterroles.actor` applies the plans.
Rules: k8s.io/kubernetes/pkg/controller/clusterroleaggregation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.controllers.plans import Plan, Update
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.resources.rbac import aggregated_rules

RESOURCE: Final = "clusterroles.rbac.authorization.k8s.io"


def decide_aggregation(role: Object, roles: Sequence[Object]) -> Plan:
    """Return what makes an aggregated role hold the rules it selects.

    Args:
        role: Any ClusterRole.
        roles: All of them.
    """
    plan = Plan()
    wanted = aggregated_rules(role, roles)
    if wanted is not None and wanted != (role.get("rules") or []) and not is_deleting(role):
        plan.update.append(Update(RESOURCE, role, {**role, "rules": wanted}))
    return plan
