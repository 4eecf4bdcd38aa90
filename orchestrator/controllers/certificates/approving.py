"""Approving what nodes ask for themselves. Pure, but for reading the request.

`orchestrator.controllers.certificates.actor` applies the plans.
Rules and texts: k8s.io/kubernetes/pkg/controller/certificates/approver.
https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#approval
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final

from orchestrator.access.authority import Requested, SigningError, read_request
from orchestrator.controllers.certificates.core import KUBELET, RESOURCE, check_request
from orchestrator.controllers.plans import Plan, Update
from orchestrator.resources.objects import Object, is_deleting, spec_of, status_of
from orchestrator.resources.rbac import Attributes
from orchestrator.resources.timestamps import format_time
from orchestrator.resources.users import User

_OWN: Final = "selfnodeclient"
_FIRST: Final = "nodeclient"
_MESSAGES: Final = {
    _OWN: "Auto approving self kubelet client certificate after SubjectAccessReview.",
    _FIRST: "Auto approving kubelet client certificate after SubjectAccessReview.",
}

May = Callable[[User, Attributes], bool]
"""Tells whether a user may do something."""


def is_open(request: Object) -> bool:
    """Tell whether a request is for a node's client certificate and nobody has decided yet."""
    if spec_of(request).get("signerName") != KUBELET or is_deleting(request):
        return False
    status = status_of(request)
    types = {condition.get("type") for condition in status.get("conditions") or ()}
    return not status.get("certificate") and not types & {"Approved", "Denied"}


def decide_approval(request: Object, may: May, now: float) -> Plan:
    """Return the approval of a request by whoever may have such a certificate.

    Args:
        request: As committed.
        may: Decides as a SubjectAccessReview would.
        now: Wall seconds.
    """
    plan = Plan()
    kinds = _recognized(request) if is_open(request) else ()
    user = _requester(request)
    for kind in kinds:
        asked = Attributes(
            "create",
            "certificates.k8s.io",
            "certificatesigningrequests",
            subresource=kind,
            name="",
            version="*",
        )
        if not may(user, asked):
            continue
        moment = format_time(now)
        condition = {
            "type": "Approved",
            "status": "True",
            "reason": "AutoApproved",
            "message": _MESSAGES[kind],
            "lastUpdateTime": moment,
            "lastTransitionTime": moment,
        }
        status = status_of(request)
        changed = {**status, "conditions": [*(status.get("conditions") or []), condition]}
        approved = {**request, "status": changed}
        plan.update.append(Update(RESOURCE, request, approved, "approval", strict=True))
        break
    return plan


def _recognized(request: Object) -> tuple[str, ...]:
    spec = spec_of(request)
    try:
        asked = read_request(base64.b64decode(spec.get("request") or "", validate=True))
        check_request(KUBELET, asked, frozenset(spec.get("usages") or ()))
    except (SigningError, binascii.Error):
        return ()
    return (_OWN, _FIRST) if _is_own(spec, asked) else (_FIRST,)


def _is_own(spec: Object, asked: Requested) -> bool:
    return spec.get("username") == asked.name


def _requester(request: Object) -> User:
    spec = spec_of(request)
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return User(
        spec.get("username") or "",
        spec.get("uid") or "",
        tuple(spec.get("groups") or ()),
        extra,
    )
