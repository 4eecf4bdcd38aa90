"""Who asks, and what they may do: accounts' tokens, and decisions by roles and bindings."""

from orchestrator.access.accounts import AccountTokens, TokenError
from orchestrator.access.authorizing import (
    ALWAYS_ALLOW,
    AlwaysAllow,
    Authorizer,
    Decision,
    RbacAuthorizer,
)
from orchestrator.access.granting import GrantGuard
from orchestrator.access.keys import SigningKey
from orchestrator.access.signers import SigningGuard

__all__ = [
    "ALWAYS_ALLOW",
    "AccountTokens",
    "AlwaysAllow",
    "Authorizer",
    "Decision",
    "GrantGuard",
    "RbacAuthorizer",
    "SigningGuard",
    "SigningKey",
    "TokenError",
]
