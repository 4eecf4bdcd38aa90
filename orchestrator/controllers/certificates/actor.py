"""The signing controller."""

from __future__ import annotations

from orchestrator.controllers.certificates.core import RESOURCE, decide_cleaning, decide_signing
from orchestrator.controllers.config import Sign
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan
from orchestrator.store import ObjectEvent, Store


class SigningController(Controller[str]):
    """Signs approved CertificateSigningRequests of the signers that are Kubernetes' own.

    Requests of every signer go away once they have been decided about for an hour, or nobody has
    for a day.
    """

    resources = (RESOURCE,)

    def __init__(self, store: Store, recorder: Recorder, sign: Sign) -> None:
        super().__init__(store, recorder)
        self._sign = sign

    def observe(self, event: ObjectEvent) -> None:
        """Mark a request that may be waiting."""
        if event.type != "DELETED":
            self.queue.mark(event.key.name)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one request."""
        request = self.store.get(RESOURCE, "", key)
        if request is None:
            return None
        plan = decide_signing(request, self._sign, now)
        return plan if len(plan) else decide_cleaning(request, now)
