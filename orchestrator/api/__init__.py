"""The Kubernetes API over HTTP: an ASGI application, and what hosts it."""

from orchestrator.api.application import ApiApplication, ApiConfig
from orchestrator.api.certificates import Certificates, ensure_certificates
from orchestrator.api.kubeconfig import kubeconfig, write_kubeconfig
from orchestrator.api.server import ApiServer, InsecureAddressError, PortTakenError, Tls
from orchestrator.api.tokens import ensure_token, new_token

__all__ = [
    "ApiApplication",
    "ApiConfig",
    "ApiServer",
    "Certificates",
    "InsecureAddressError",
    "PortTakenError",
    "Tls",
    "ensure_certificates",
    "ensure_token",
    "kubeconfig",
    "new_token",
    "write_kubeconfig",
]
