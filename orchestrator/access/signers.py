"""CertificateSigningRequests: who may approve and sign them, and what nobody may ask for.

Rules: k8s.io/kubernetes/plugin/pkg/admission/certificates.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from orchestrator.access.authorizing import MASTERS, Authorizer
from orchestrator.resources.errors import forbidden
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, name_of, spec_of, status_of
from orchestrator.resources.rbac import Attributes
from orchestrator.resources.users import CONTROLLER_MANAGER, User
from orchestrator.store.admission import Attributes as Admitted
from orchestrator.store.admission.hooks import AdmissionOperation

_GROUP: Final = "certificates.k8s.io"
RESOURCE: Final = f"certificatesigningrequests.{_GROUP}"
CLIENT_SIGNER: Final = "kubernetes.io/kube-apiserver-client"


class SigningGuard:
    """Guards the subject, the approval and the certificate of requests; a hook of admission."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        """Tell whether a CertificateSigningRequest is written."""
        del subresource
        return kind.resource == RESOURCE and operation in {"CREATE", "UPDATE"}

    async def mutate(self, attributes: Admitted) -> Object | None:
        """Change nothing: the kind's own rules note who asks."""
        return attributes.object

    async def validate(self, attributes: Admitted) -> None:
        """Check the right to approve or to sign, and what is asked for.

        Raises:
            StatusError: 403.
        """
        obj, old = attributes.object, attributes.old
        if obj is None:
            return
        if attributes.operation == "CREATE":
            _check_subject(obj)
            return
        if old is None:
            return
        verb = ""
        if attributes.subresource == "approval" and _conditions(obj) != _conditions(old):
            verb = "approve"
        elif attributes.subresource == "status":
            signed = status_of(obj).get("certificate") != status_of(old).get("certificate")
            if signed or _failed(obj) != _failed(old):
                verb = "sign"
        if verb and not self._may(attributes.caller.user, verb, spec_of(old).get("signerName", "")):
            name = spec_of(old).get("signerName", "")
            why = f'user not permitted to {verb} requests with signerName "{name}"'
            raise forbidden(RESOURCE, name_of(obj), why)

    def _may(self, user: User, verb: str, signer: str) -> bool:
        if user is CONTROLLER_MANAGER or MASTERS in user.groups:
            return True
        domain = signer.partition("/")[0]
        return any(
            self._authorizer.decide(
                user, Attributes(verb, _GROUP, "signers", name=name, version="*")
            ).allowed
            for name in (signer, f"{domain}/*")
        )


def _conditions(obj: Object) -> list[Any]:
    return status_of(obj).get("conditions") or []


def _failed(obj: Object) -> list[Any]:
    return [one for one in _conditions(obj) if one.get("type") == "Failed"]


def _check_subject(obj: Object) -> None:
    """Refuse to make anyone an administrator by certificate; needs no more than a look.

    Raises:
        StatusError: 403.
    """
    spec = spec_of(obj)
    if spec.get("signerName") != CLIENT_SIGNER:
        return
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        request = x509.load_pem_x509_csr(base64.b64decode(spec.get("request") or ""))
    except (ValueError, binascii.Error):
        return  # its validation says so
    groups = request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if any(group.value == MASTERS for group in groups):
        why = f"use of {CLIENT_SIGNER} signer with system:masters group is not allowed"
        raise forbidden(RESOURCE, name_of(obj), why)
