"""ServiceAccounts: the tokens that live in Secrets."""

from orchestrator.controllers.accounts.actor import TokenController
from orchestrator.controllers.accounts.core import decide_token

__all__ = ["TokenController", "decide_token"]
