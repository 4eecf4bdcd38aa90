"""Faults between clients and the API: refusals, lost answers, delays, cut and stale watches."""

from orchestrator.api.faults.injecting import ApiFaults, Down
from orchestrator.api.faults.rules import ApiFault, ApiRequest, Effect, Matching, Schedule

__all__ = ["ApiFault", "ApiFaults", "ApiRequest", "Down", "Effect", "Matching", "Schedule"]
