"""Who asks, and what they may do: accounts' tokens, and decisions by roles and bindings."""

from orchestrator.access.accounts import AccountTokens, TokenError
from orchestrator.access.authorizing import (
    ALWAYS_ALLOW,
    AlwaysAllow,
    Authorizer,
    Decision,
    RbacAuthorizer,
)
from orchestrator.access.keys import SigningKey

__all__ = [
    "ALWAYS_ALLOW",
    "AccountTokens",
    "AlwaysAllow",
    "Authorizer",
    "Decision",
    "RbacAuthorizer",
    "SigningKey",
    "TokenError",
]
