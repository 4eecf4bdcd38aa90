"""Signing what was approved, and removing what is done with. Pure, but for the signature itself.

`orchestrator.controllers.certificates.actor` applies the plans.
Rules: k8s.io/kubernetes/pkg/controller/certificates (signer, cleaner) and pkg/apis/certificates.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from orchestrator.access.authority import Requested, SigningError, expiry_of, read_request
from orchestrator.controllers.config import Sign
from orchestrator.controllers.plans import Deletion, Plan, Update
from orchestrator.resources.conditions import set_condition
from orchestrator.resources.objects import Object, is_deleting, meta, spec_of, status_of
from orchestrator.resources.timestamps import format_time, parse_time

RESOURCE: Final = "certificatesigningrequests.certificates.k8s.io"
YEAR: Final = 365 * 24 * 3600
"""Seconds a certificate is good for unless it asks for less; upstream's
``--cluster-signing-duration``."""

DECIDED_FOR: Final = 3600.0
"""Seconds a request stays after it was issued, denied or failed."""

PENDING_FOR: Final = 24 * 3600.0
"""Seconds a request stays that nobody decides about."""

_CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBELET: Final = "kubernetes.io/kube-apiserver-client-kubelet"
_SERVING: Final = "kubernetes.io/kubelet-serving"
_UNKNOWN: Final = "kubernetes.io/legacy-unknown"
SIGNERS: Final = frozenset({_CLIENT, KUBELET, _SERVING, _UNKNOWN})
_BASIC: Final = frozenset({"digital signature", "key encipherment"})


def decide_signing(request: Object, sign: Sign, now: float) -> Plan:
    """Return the request with its certificate, or with why it gets none.

    Args:
        request: As committed.
        sign: Makes the certificate.
        now: Wall seconds.
    """
    plan = Plan()
    spec, status = spec_of(request), status_of(request)
    conditions = status.get("conditions") or []
    types = {condition.get("type") for condition in conditions}
    if status.get("certificate") or "Approved" not in types or types & {"Denied", "Failed"}:
        return plan
    if spec.get("signerName") not in SIGNERS or is_deleting(request):
        return plan
    usages = tuple(spec.get("usages") or ())
    seconds = min(float(spec.get("expirationSeconds") or YEAR), float(YEAR))
    try:
        pem = base64.b64decode(spec.get("request") or "", validate=True)
        check_request(spec["signerName"], read_request(pem), frozenset(usages))
        certificate = sign(pem, usages, seconds, now)
    except (SigningError, binascii.Error) as error:
        moment = format_time(now)
        failed = set_condition(
            conditions,
            "Failed",
            "True",
            now=moment,
            reason="SignerValidationFailure",
            message=str(error),
        )
        changed = {**status, "conditions": failed}
    else:
        changed = {**status, "certificate": base64.b64encode(certificate.encode()).decode()}
    plan.update.append(Update(RESOURCE, request, {**request, "status": changed}, "status"))
    return plan


def decide_cleaning(request: Object, now: float) -> Plan:
    """Return the removal of a request that is done with, or when to look again.

    Args:
        request: As committed.
        now: Wall seconds.
    """
    plan = Plan()
    if is_deleting(request):
        return plan
    conditions = {one.get("type"): one for one in status_of(request).get("conditions") or ()}
    due = _seconds(meta(request).get("creationTimestamp"), now) + PENDING_FOR
    approved = conditions.get("Approved")
    if approved is not None:
        # One that was approved and never signed is its signer's business.
        due = now + PENDING_FOR
        certificate = status_of(request).get("certificate")
        if certificate:
            due = _seconds(approved.get("lastUpdateTime"), now) + DECIDED_FOR
            due = min(due, _end_of(certificate, due))
    for ended in ("Denied", "Failed"):
        if ended in conditions:
            due = _seconds(conditions[ended].get("lastUpdateTime"), now) + DECIDED_FOR
    if due <= now:
        plan.delete.append(Deletion(RESOURCE, request, current=True))
    else:
        plan.look_again(due - now)
    return plan


def _end_of(certificate: str, otherwise: float) -> float:
    """Return when a certificate expires, in wall seconds; ``otherwise`` for what is none."""
    try:
        return expiry_of(base64.b64decode(certificate, validate=True))
    except (SigningError, binascii.Error):
        return otherwise


def _seconds(text: str | None, otherwise: float) -> float:
    return parse_time(text) if text else otherwise


def check_request(signer: str, asked: Requested, usages: frozenset[str]) -> None:
    """Refuse what a signer does not sign.

    Raises:
        SigningError: In upstream's words.
    """
    if signer == _CLIENT:
        if "client auth" not in usages or not usages <= {*_BASIC, "client auth"}:
            raise SigningError("invalid usages for client certificate: must include client auth")
    elif signer == KUBELET:
        _check_node(asked, usages, "client auth")
        if asked.names:
            raise SigningError("DNS and IP subjectAltNames are not allowed")
    elif signer == _SERVING:
        _check_node(asked, usages, "server auth")
        if not asked.names:
            raise SigningError("DNS or IP subjectAltName is required")


def _check_node(asked: Requested, usages: frozenset[str], purpose: str) -> None:
    if asked.groups != ("system:nodes",):
        raise SigningError("subject organization is not system:nodes")
    if not asked.name.startswith("system:node:"):
        raise SigningError("subject common name does not begin with system:node: prefix")
    if purpose not in usages or not usages <= {*_BASIC, purpose}:
        raise SigningError(f"usages did not match {sorted({*_BASIC, purpose})}")
