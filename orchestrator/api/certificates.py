"""The server's certificates: a CA of its own, made on first start, and what it signs.

Both live as PEM files with mode 0600 in one directory. A small JSON file beside them remembers for
how long and for which names the serving certificate is good, so that an ordinary start reads three
small files and does not load the cryptography library (some 50 ms).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from orchestrator.records import dataclass

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CA_YEARS: Final = 10
SERVING_DAYS: Final = 365
RENEW_BEFORE: Final = 30 * 86400
"""Seconds before its end at which a serving certificate is replaced on start."""

BACKDATE: Final = 300
"""Seconds by which validity starts early, for clients whose clock is behind."""

NAMES: Final = (
    "localhost",
    "127.0.0.1",
    "::1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
"""What every serving certificate is good for; the listening and service addresses come on top."""

_MANIFEST: Final = "serving.json"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files are, and the CA certificate's text for kubeconfigs."""

    ca_file: Path
    certificate_file: Path
    key_file: Path
    ca_pem: str


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:  # mkstemp makes it 0600
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_library(directory: Path) -> None:
    """Load what `ensure_certificates` will need, if it will; for a thread, while others wait."""
    if not (directory / _MANIFEST).exists():
        import cryptography.hazmat.primitives.serialization
        import cryptography.x509  # noqa: F401 - loading is what it is for


def ensure_certificates(
    directory: Path, now: float, names: Iterable[str] = (), *, common_name: str = "kube-apiserver"
) -> Certificates:
    """Return the server's certificates; make or renew what is missing, old or for other names.

    A new serving certificate keeps the CA, so kubeconfigs that carry it stay good. A new CA is made
    only when there is none; one whose key is lost is replaced, and all it signed with it.

    Args:
        directory: Where the files are kept, ``pki`` of the data directory. Made when missing.
        now: Real seconds since the epoch: clients check against their own clock.
        names: Host names and addresses besides `NAMES`.
        common_name: Subject of the serving certificate.
    """
    wanted = sorted({*NAMES, *names})
    ca_file, ca_key_file = directory / "ca.crt", directory / "ca.key"
    found = Certificates(
        ca_file, directory / "apiserver.crt", directory / "apiserver.key", _read(ca_file)
    )
    if found.ca_pem and _still_good(directory, found, wanted, now):
        return found
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = ensure_authority(ca_file, ca_key_file, now)
    expires = make_leaf(
        authority, found.certificate_file, found.key_file, common_name, now, names=wanted
    )
    manifest = {"names": wanted, "expires": expires, "ca": _read(ca_file)}
    write_private(directory / _MANIFEST, orjson.dumps(manifest))
    return Certificates(ca_file, found.certificate_file, found.key_file, _read(ca_file))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def _still_good(directory: Path, found: Certificates, wanted: list[str], now: float) -> bool:
    try:
        manifest = orjson.loads((directory / _MANIFEST).read_bytes())
        return bool(
            manifest["names"] == wanted
            and manifest["ca"] == found.ca_pem
            and manifest["expires"] - now > RENEW_BEFORE
            and _is_pair(found)
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _is_pair(found: Certificates) -> bool:
    """Whether a server could start with the files: both whole, and of each other."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(found.certificate_file, found.key_file)
        context.load_verify_locations(cadata=found.ca_pem)
    except (ssl.SSLError, FileNotFoundError):
        return False
    return True


Authority = tuple["x509.Certificate", "ec.EllipticCurvePrivateKey"]


def _load_authority(ca_file: Path, key_file: Path, now: float) -> Authority | None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        certificate = x509.load_pem_x509_certificate(ca_file.read_bytes())
        key = load_pem_private_key(key_file.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    if certificate.not_valid_after_utc.timestamp() - now < RENEW_BEFORE:
        return None
    return certificate, key


def ensure_authority(
    ca_file: Path, key_file: Path, now: float, name: str = "orchestrator-ca"
) -> Authority:
    """Return an authority, a new one where there is none that is good for a while."""
    found = _load_authority(ca_file, key_file, now)
    return _make_authority(ca_file, key_file, now, name) if found is None else found


def _make_authority(ca_file: Path, key_file: Path, now: float, common_name: str) -> Authority:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        _builder(name, name, key, now, CA_YEARS * 365 * 86400)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_pair(ca_file, key_file, certificate, key)
    return certificate, key


def make_leaf(
    authority: Authority,
    certificate_file: Path,
    key_file: Path,
    common_name: str,
    now: float,
    *,
    names: Iterable[str] = (),
) -> float:
    """Make a key and its certificate, for a server or, without names, for a client.

    Args:
        authority: Who signs.
        certificate_file: Where the certificate goes.
        key_file: Where the key goes.
        common_name: Of the subject.
        now: Real seconds since the epoch.
        names: Host names and addresses of a server.

    Returns:
        When it expires.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    seconds = SERVING_DAYS * 86400
    public = issuer_key.public_key()
    served = [_name(name) for name in names]
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if served else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(subject, issuer.subject, key, now, seconds)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(public),
            critical=False,
        )
    )
    if served:
        builder = builder.add_extension(x509.SubjectAlternativeName(served), critical=False)
    _write_pair(certificate_file, key_file, builder.sign(issuer_key, hashes.SHA256()), key)
    return now + seconds


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: float,
    seconds: float,
) -> x509.CertificateBuilder:
    from cryptography import x509

    start = dt.datetime.fromtimestamp(now - BACKDATE, tz=dt.UTC)
    end = dt.datetime.fromtimestamp(now + seconds, tz=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write_pair(
    certificate_file: Path,
    key_file: Path,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> None:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    write_private(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    write_private(certificate_file, certificate.public_bytes(Encoding.PEM))
