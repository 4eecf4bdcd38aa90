"""Role-based access control as pure functions: what rules allow, and what covers what."""

from orchestrator.resources.rbac.aggregation import aggregated_rules
from orchestrator.resources.rbac.covering import missing_rights, rights_text
from orchestrator.resources.rbac.rules import Attributes, Rule, allows, forbidden_access

__all__ = [
    "Attributes",
    "Rule",
    "aggregated_rules",
    "allows",
    "forbidden_access",
    "missing_rights",
    "rights_text",
]
