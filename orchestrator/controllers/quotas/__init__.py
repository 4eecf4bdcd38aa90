"""The status of ResourceQuotas, as far as no write changes it."""

from orchestrator.controllers.quotas.actor import QuotaController
from orchestrator.controllers.quotas.core import decide_quota

__all__ = ["QuotaController", "decide_quota"]
