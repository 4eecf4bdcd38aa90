"""Calls that leave the server: webhooks, aggregated API servers, Services, pods and nodes."""

from orchestrator.egress.calls import Answer, Call, CallError, Egress
from orchestrator.egress.services import Upstream, resolve_service

__all__ = ["Answer", "Call", "CallError", "Egress", "Upstream", "resolve_service"]
