"""Keeping the status of policies. Pure.

`orchestrator.controllers.policies.actor` applies the plans.
Rules: k8s.io/kubernetes/pkg/controller/validatingadmissionpolicystatus.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.controllers.plans import Plan, Update
from orchestrator.resources.kinds import KindRegistry
from orchestrator.resources.objects import Object, is_deleting, status_of, with_status

RESOURCE: Final = "validatingadmissionpolicies.admissionregistration.k8s.io"


def decide_status(policy: Object, registry: KindRegistry) -> Plan:
    """Return what makes a policy's status say how its expressions fit the kinds they are about.

    Args:
        policy: Any ValidatingAdmissionPolicy.
        registry: The kinds that are served.
    """
    plan = Plan()
    generation = policy["metadata"].get("generation", 0)
    if status_of(policy).get("observedGeneration") == generation or is_deleting(policy):
        return plan
    # The compiler is loaded with the first policy: most clusters never have one.
    from orchestrator.resources.cel.typechecking import check_policy

    warnings = check_policy(policy, registry)
    checking: dict[str, Any] = {"expressionWarnings": warnings} if warnings else {}
    changed = with_status(policy, observedGeneration=generation, typeChecking=checking)
    plan.update.append(Update(RESOURCE, policy, changed, subresource="status"))
    return plan
