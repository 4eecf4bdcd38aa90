"""The status of ValidatingAdmissionPolicies."""

from orchestrator.controllers.policies.actor import PolicyStatusController
from orchestrator.controllers.policies.core import decide_status

__all__ = ["PolicyStatusController", "decide_status"]
