"""CertificateSigningRequests: approved for nodes, signed once approved, removed once done with."""

from orchestrator.controllers.certificates.actor import ApprovingController, SigningController
from orchestrator.controllers.certificates.approving import decide_approval
from orchestrator.controllers.certificates.core import decide_cleaning, decide_signing

__all__ = [
    "ApprovingController",
    "SigningController",
    "decide_approval",
    "decide_cleaning",
    "decide_signing",
]
