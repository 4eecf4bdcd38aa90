"""The approving and the signing controller."""

from __future__ import annotations

from orchestrator.access.authorizing import CLUSTER_BINDINGS, CLUSTER_ROLES, Authorizer
from orchestrator.controllers.certificates.approving import decide_approval, is_open
from orchestrator.controllers.certificates.core import RESOURCE, decide_cleaning, decide_signing
from orchestrator.controllers.config import Sign
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan
from orchestrator.resources.rbac import Attributes
from orchestrator.resources.users import User
from orchestrator.store import ObjectEvent, Store


class ApprovingController(Controller[str]):
    """Approves nodes' requests for client certificates, if whoever asks may have them.

    What is refused is tried again when roles change: those are followed from then on.
    """

    resources = (RESOURCE,)

    def __init__(self, store: Store, recorder: Recorder, authorizer: Authorizer) -> None:
        super().__init__(store, recorder)
        self._authorizer = authorizer
        self._follows_roles = False

    def reset(self) -> None:
        """Forget who waits, and that roles are followed: the follower is a new one."""
        self._follows_roles = False
        self._waiting: dict[str, None] = {}

    def stopped(self) -> None:
        """Stop following, the authorizer too."""
        super().stopped()
        self._authorizer.close()

    def observe(self, event: ObjectEvent) -> None:
        """Mark a request that nobody has decided about, or all that wait."""
        if event.key.resource != RESOURCE:
            for name in self._waiting:
                self.queue.mark(name)
        elif event.type != "DELETED" and is_open(event.object):
            self.queue.mark(event.key.name)
        else:
            self._waiting.pop(event.key.name, None)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one request."""
        request = self.store.get(RESOURCE, "", key)
        if request is None or not is_open(request):
            return None
        plan = decide_approval(request, self._may, now)
        if not plan.update:
            self._waiting[key] = None
            if not self._follows_roles:
                self._follows_roles = True
                self.include((CLUSTER_ROLES, CLUSTER_BINDINGS))
        return plan

    def _may(self, user: User, asked: Attributes) -> bool:
        return self._authorizer.decide(user, asked).allowed


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
