"""Calls that leave the server: webhooks, aggregated API servers, Services, pods and nodes."""

from orchestrator.egress.calls import Answer, Call, CallError, Egress, explain_failure
from orchestrator.egress.services import Upstream, resolve_service

__all__ = [
    "Answer",
    "Call",
    "CallError",
    "Egress",
    "Upstream",
    "explain_failure",
    "resolve_service",
]
