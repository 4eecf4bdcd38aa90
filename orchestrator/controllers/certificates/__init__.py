"""CertificateSigningRequests: what was approved is signed, what is done with goes."""

from orchestrator.controllers.certificates.actor import SigningController
from orchestrator.controllers.certificates.core import decide_cleaning, decide_signing

__all__ = ["SigningController", "decide_cleaning", "decide_signing"]
