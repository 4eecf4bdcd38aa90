"""The tokens controller."""

from __future__ import annotations

from orchestrator.access import AccountTokens
from orchestrator.controllers.accounts.core import account_name, decide_token
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan
from orchestrator.store import ObjectEvent, Store


class TokenController(Controller[tuple[str, str]]):
    """Fills Secrets with their ServiceAccount's token, and removes them with it.

    Keys are namespace and name of Secrets; other types of Secrets are not looked at.
    """

    resources = ("serviceaccounts", "secrets")

    def __init__(self, store: Store, recorder: Recorder, tokens: AccountTokens, ca: str) -> None:
        super().__init__(store, recorder)
        self._tokens = tokens
        self._ca = ca

    def reset(self) -> None:
        """Forget which Secrets hold tokens."""
        self._secrets: dict[tuple[str, str], dict[str, None]] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Mark a token's Secret, and all those of an account that comes or goes."""
        resource, namespace, name = event.key
        if resource == "serviceaccounts":
            if event.type != "MODIFIED":
                for secret in self._secrets.get((namespace, name), ()):
                    self.queue.mark((namespace, secret))
            return
        account = account_name(event.object)
        if not account:
            return
        known = self._secrets.setdefault((namespace, account), {})
        if event.type == "DELETED":
            known.pop(name, None)
        else:
            known[name] = None
            self.queue.mark((namespace, name))

    def reconcile(self, key: tuple[str, str], now: float) -> Plan | None:
        """Decide about one Secret."""
        del now  # these tokens have no end
        secret = self.store.get("secrets", *key)
        name = account_name(secret) if secret is not None else ""
        if secret is None or not name:
            return None
        account = self.store.get("serviceaccounts", key[0], name)
        return decide_token(secret, account, self._ca, self._tokens.issue_legacy)
