"""The cluster's CA as the signer of clients' certificates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.records import dataclass

if TYPE_CHECKING:
    from cryptography import x509

BACKDATE: Final = 300
"""Seconds by which validity starts early, for clocks that are behind; upstream's five minutes."""


_KEY_USAGES: Final = (
    "signing",
    "digital signature",
    "content commitment",
    "key encipherment",
    "data encipherment",
    "key agreement",
)


class SigningError(Exception):
    """A request that can't be signed; the message says why."""


@dataclass(frozen=True, slots=True)
class Requested:
    """What a certificate signing request says.

    Attributes:
        name: Common name.
        groups: Organizations.
        names: Whether it asks for DNS names, addresses or the like.
    """

    name: str
    groups: tuple[str, ...]
    names: bool


def read_request(pem: bytes) -> Requested:
    """Read a request.

    Raises:
        SigningError: It is none, or its signature is not good.
    """
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    request = _load(pem)
    names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    groups = request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        alternative = len(list(found.value)) > 0
    except x509.ExtensionNotFound:
        alternative = False
    return Requested(
        str(names[0].value) if names else "",
        tuple(str(group.value) for group in groups),
        alternative,
    )


def expiry_of(pem: bytes) -> float:
    """Return when a certificate expires, in wall seconds.

    Raises:
        SigningError: It is none.
    """
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
    except ValueError as error:
        raise SigningError(f"unable to parse certificate: {error}") from None


def _load(pem: bytes) -> x509.CertificateSigningRequest:
    from cryptography import x509

    try:
        request = x509.load_pem_x509_csr(pem)
    except ValueError as error:
        raise SigningError(f"unable to parse csr: {error}") from None
    if not request.is_signature_valid:
        raise SigningError("unable to parse csr: its signature is not valid")
    return request


class Authority:
    """Signs with the CA's key, which is read when it is needed."""

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        """Sign with the CA in these PEM files."""
        self._certificate_file = certificate_file
        self._key_file = key_file

    def sign(self, request: bytes, usages: tuple[str, ...], seconds: float, now: float) -> str:
        """Return a certificate as PEM.

        Args:
            request: The certificate signing request as PEM.
            usages: As ``certificates.k8s.io`` names them.
            seconds: Its life; not beyond the CA's own.
            now: Wall seconds.

        Raises:
            SigningError: The request is none, or the CA's files can't be read.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
        from cryptography.x509.oid import ExtendedKeyUsageOID as Oid

        wanted = _load(request)
        try:
            issuer = x509.load_pem_x509_certificate(self._certificate_file.read_bytes())
            key = load_pem_private_key(self._key_file.read_bytes(), None)
        except (OSError, ValueError) as error:
            raise SigningError(f"the cluster's CA cannot be used: {error}") from error
        assert isinstance(key, ec.EllipticCurvePrivateKey), "as the API server makes it"
        start = dt.datetime.fromtimestamp(now - BACKDATE, tz=dt.UTC)
        end = dt.datetime.fromtimestamp(now + seconds, tz=dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(wanted.subject)
            .issuer_name(issuer.subject)
            .public_key(wanted.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(min(end, issuer.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
                critical=False,
            )
        )
        # An extension that allows no use at all would make the certificate good for nothing.
        if any(usage in usages for usage in _KEY_USAGES):
            builder = builder.add_extension(_key_usage(usages), critical=True)
        extended = {"client auth": Oid.CLIENT_AUTH, "server auth": Oid.SERVER_AUTH}
        chosen = [oid for usage, oid in extended.items() if usage in usages]
        if chosen:
            builder = builder.add_extension(x509.ExtendedKeyUsage(chosen), critical=False)
        for extension in wanted.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                builder = builder.add_extension(extension.value, critical=extension.critical)
        certificate = builder.sign(key, hashes.SHA256())
        return certificate.public_bytes(Encoding.PEM).decode()


def _key_usage(usages: tuple[str, ...]) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature="digital signature" in usages or "signing" in usages,
        content_commitment="content commitment" in usages,
        key_encipherment="key encipherment" in usages,
        data_encipherment="data encipherment" in usages,
        key_agreement="key agreement" in usages,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
