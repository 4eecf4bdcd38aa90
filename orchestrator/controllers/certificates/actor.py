"""The signing controller."""

from __future__ import annotations

from orchestrator.controllers.certificates.core import RESOURCE, decide_signing
from orchestrator.controllers.config import Sign
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan
from orchestrator.store import ObjectEvent, Store


class SigningController(Controller[str]):
    """Signs approved CertificateSigningRequests of the signers that are Kubernetes' own."""

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
        return None if request is None else decide_signing(request, self._sign, now)
