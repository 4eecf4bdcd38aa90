"""Reading what is in PEM and base64: certificates, requests for them, keys.

Source of words: pkg/apis/certificates of Kubernetes, and Go's ``crypto/x509``. What Go says of
broken ASN.1 differs from byte to byte and is not followed.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_block = re.compile(
    rb"-----BEGIN ([^\n]*?)-----[ \t\r]*\n(.*?)-----END \1-----[ \t\r]*(?:\n|$)", re.DOTALL
)
_header = re.compile(rb"[^\n:]+:[^\n]*\n")
MALFORMED: Final = "x509: malformed certificate request"


class Block(NamedTuple):
    """One block of PEM: what it says it is, whether it has headers, and its bytes."""

    type: str
    headers: bool
    data: bytes


def blocks(pem: bytes) -> list[Block]:
    """Return the blocks of PEM that can be read; what stands between them is skipped."""
    found: list[Block] = []
    for match in _block.finditer(pem):
        body = match[2]
        headers = _header.match(body) is not None
        while header := _header.match(body):
            body = body[header.end() :]
        try:
            data = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            continue
        found.append(Block(match[1].decode(errors="replace"), headers, data))
    return found


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


def request_problem(text: str) -> str:
    """Return what is wrong with a request for a certificate, in base64; empty when nothing is."""
    found = blocks(_decoded(text))
    if not found or found[0].type != "CERTIFICATE REQUEST":
        return "PEM block type must be CERTIFICATE REQUEST"
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import load_der_x509_csr

    try:
        valid = load_der_x509_csr(found[0].data).is_signature_valid
    except (ValueError, TypeError):
        return MALFORMED
    except UnsupportedAlgorithm:
        return "x509: cannot verify signature: algorithm unimplemented"
    return "" if valid else "x509: signature verification failure"


def certificate_of(data: bytes) -> Certificate | None:
    """Parse a certificate; None where it is none."""
    from cryptography.x509 import load_der_x509_certificate

    try:
        return load_der_x509_certificate(data)
    except ValueError:
        return None


def certificate_problem(text: str) -> str:
    """Return what is wrong with a chain of certificates, in base64; empty when nothing is."""
    pem = _decoded(text)
    if not pem:
        return ""
    found = blocks(pem)
    for block in found:
        if block.type != "CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{block.type}"'
        if block.headers:
            return "no PEM block headers are permitted"
        if certificate_of(block.data) is None:
            return "x509: malformed certificate"
    return "" if found else "must contain at least one CERTIFICATE PEM block"
