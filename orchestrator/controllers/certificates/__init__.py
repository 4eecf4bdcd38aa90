"""CertificateSigningRequests: what was approved is signed."""

from orchestrator.controllers.certificates.actor import SigningController
from orchestrator.controllers.certificates.core import decide_signing

__all__ = ["SigningController", "decide_signing"]
