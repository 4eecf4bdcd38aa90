"""Admission policies: rules in CEL about what is written, and match conditions of webhooks."""

from orchestrator.policies.hooks import MatchConditions, MutatingPolicies, ValidatingPolicies
from orchestrator.policies.threads import Evaluator

__all__ = ["Evaluator", "MatchConditions", "MutatingPolicies", "ValidatingPolicies"]
