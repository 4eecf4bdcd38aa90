"""From a client's certificate, which TLS has verified, to the user it names.

Rules: k8s.io/apiserver/pkg/authentication/request/x509.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from orchestrator.resources.users import User

_UID: Final = "1.3.6.1.4.1.57683.2"
"""Attribute of the subject that Kubernetes has for a user's uid."""


def certified_user(certificate: dict[str, Any] | None, encoded: bytes | None) -> User | None:
    """Return the user: the common name, with the organizations as groups.

    Args:
        certificate: As ``ssl`` describes one that it has verified; empty or None without one.
        encoded: The same in DER.

    Returns:
        None without a certificate, or when it names nobody.
    """
    if not certificate or not encoded:
        return None
    name = uid = ""
    groups: list[str] = []
    for part in certificate.get("subject", ()):
        for field, value in part:
            if field == "commonName":
                name = value
            elif field == "organizationName":
                groups.append(value)
            elif field == _UID:
                uid = value
    if not name:
        return None
    if "system:authenticated" not in groups:
        groups.append("system:authenticated")
    digest = hashlib.sha256(encoded).hexdigest()
    extra = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={digest}",)}
    return User(name, uid, tuple(groups), extra)
