"""Admission policies: rules in CEL about what is written, and match conditions of webhooks."""

from orchestrator.policies.conditions import MatchConditions
from orchestrator.policies.evaluating import Evaluator
from orchestrator.policies.mutating import MutatingPolicies
from orchestrator.policies.validating import ValidatingPolicies

__all__ = ["Evaluator", "MatchConditions", "MutatingPolicies", "ValidatingPolicies"]
