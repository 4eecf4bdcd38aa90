"""Rules of CertificateSigningRequests: what is asked, and who may decide and sign."""

from __future__ import annotations

import base64
import datetime as dt
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.resources.strategies import strategy_of
from orchestrator.resources.users import User
from tests.resources.judging import Object, creation, defaulted, kind_of, told, update

KEY = ec.generate_private_key(ec.SECP256R1())
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ann")])


def pem(data: bytes) -> str:
    """Return what stands in an object for bytes."""
    return base64.b64encode(data).decode()


@cache
def request(*, broken: bool = False) -> str:
    """Return a request for a certificate, or one whose signature fits another."""
    made = x509.CertificateSigningRequestBuilder().subject_name(SUBJECT).sign(KEY, hashes.SHA256())
    if not broken:
        return pem(made.public_bytes(serialization.Encoding.PEM))
    der = bytearray(made.public_bytes(serialization.Encoding.DER))
    at = bytes(der).index(b"ann")
    der[at : at + 3] = b"bob"
    body = base64.encodebytes(bytes(der))
    return pem(
        b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----\n"
    )


def certificate(*, authority: bool = False) -> str:
    """Return a certificate."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(SUBJECT)
        .issuer_name(SUBJECT)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )
    return pem(made.public_bytes(serialization.Encoding.PEM))


def signing(status: Object | None = None, **spec: Any) -> Object:
    """Return a request, the example with other fields."""
    made: Object = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "node-csr:A"},
        "spec": {
            "request": request(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            **spec,
        },
    }
    return made if status is None else {**made, "status": status}


def decided(*types: str, **status: Any) -> Object:
    """Return a status with conditions."""
    conditions = [{"type": type_, "status": "True", "reason": "r"} for type_ in types]
    return {"conditions": conditions, **status}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (signing(), ""),
        (
            signing(request="", usages=[], signerName=""),
            """
            - spec.request: Invalid value: "": PEM block type must be CERTIFICATE REQUEST
            - spec.usages: Required value
            - spec.signerName: Required value
            """,
        ),
        (
            signing(
                usages=["any", "any", "fly"],
                signerName="kubernetes.io/legacy-unknown",
                expirationSeconds=599,
            ),
            """
            - spec.usages[2]: Unsupported value: "fly": supported values: "any", "cert sign",
              "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
              "decipher only", "digital signature", "email protection", "encipher only",
              "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
              "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
              "server auth", "signing", "timestamping"
            - spec.usages[1]: Duplicate value: "any"
            - spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName
              is not allowed via this API version
            - spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600
              seconds (10 minutes)
            """,
        ),
        (
            signing(signerName="example.com"),
            """
            - spec.signerName: Invalid value: "example.com": must be a fully qualified domain and
              path of the form 'example.com/signer-name'
            """,
        ),
        (
            signing(signerName="local/A.b"),
            """
            - spec.signerName: Invalid value: "local": should be a domain with at least two
              segments separated by dots
            - spec.signerName: Invalid value: "A.b": validating label "A": <subdomain>
            """,
        ),
        (
            {**signing(), "metadata": {"name": "a/b"}},
            "- metadata.name: Invalid value: \"a/b\": may not contain '/'",
        ),
    ],
)
def test_every_complaint_about_a_new_request(obj: Object, expected: str) -> None:
    """All at once, in upstream's order."""
    assert creation(obj) == told(expected)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (request(broken=True), "x509: signature verification failure"),
        (
            pem(b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
            "x509: malformed certificate request",
        ),
        (certificate(), "PEM block type must be CERTIFICATE REQUEST"),
        ("!", "PEM block type must be CERTIFICATE REQUEST"),
    ],
    ids=["forged", "malformed", "certificate", "no base64"],
)
def test_a_request_must_be_one_and_be_signed(text: str, why: str) -> None:
    """With the key that it is for."""
    assert creation(signing(request=text)) == [f'spec.request: Invalid value: "{text}": {why}']


@pytest.mark.parametrize(
    ("subresource", "status", "before", "expected"),
    [
        ("approval", decided("Approved"), None, ""),
        (
            "approval",
            decided("Approved", "Denied"),
            None,
            """
            - status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions
              are mutually exclusive
            """,
        ),
        (
            "approval",
            {"conditions": [{"type": "Approved", "status": "False"}, {"type": "", "status": ""}]},
            None,
            """
            - status.conditions[0].status: Unsupported value: "False": supported values: "True"
            - status.conditions[1].type: Required value
            - status.conditions[1].status: Required value
            """,
        ),
        (
            "approval",
            {"conditions": []},
            decided("Denied"),
            """
            - status.conditions: Forbidden: updates may not remove a condition of type "Denied"
            """,
        ),
        (
            "approval",
            decided("Approved", "Approved"),
            None,
            '- status.conditions[1].type: Duplicate value: "Approved"',
        ),
        ("status", decided("Failed"), None, ""),
        (
            "status",
            decided("Approved"),
            None,
            '- status.conditions: Forbidden: updates may not add a condition of type "Approved"',
        ),
        ("status", decided("Approved", certificate=certificate()), decided("Approved"), ""),
        (
            "status",
            decided("Approved", certificate=pem(b"hello")),
            decided("Approved"),
            """
            - status.certificate: Invalid value: "<certificate data>": must contain at least one
              CERTIFICATE PEM block
            """,
        ),
        (
            "status",
            decided("Approved", certificate=request()),
            decided("Approved"),
            """
            - status.certificate: Invalid value: "<certificate data>": only CERTIFICATE PEM blocks
              are allowed, found "CERTIFICATE REQUEST"
            """,
        ),
        (
            "status",
            decided("Approved", certificate=""),
            decided("Approved", certificate="YQ=="),
            """
            - status.certificate: Forbidden: updates may not modify existing certificate content
            """,
        ),
    ],
)
def test_every_complaint_about_a_part_of_the_status(
    subresource: str, status: Object, before: Object | None, expected: str
) -> None:
    """An approver sets conditions; a signer the certificate, once."""
    assert update(signing(status), signing(before), subresource) == told(expected)


def test_a_signer_may_not_change_a_decision() -> None:
    """The complaint shows both."""
    changed = decided("Approved")
    changed["conditions"][0]["reason"] = "s"
    [problem] = update(signing(changed), signing(decided("Approved")), "status")
    assert problem.startswith(
        'status.conditions: Forbidden: updates may not modify a condition of type "Approved"\n'
    )


def test_an_approval_takes_nothing_but_conditions_along() -> None:
    """Neither a certificate nor the spec; and an update of the object changes neither."""
    strategy = strategy_of(kind_of(signing()))
    old = {**defaulted(signing()), "status": {"certificate": "YQ=="}}
    new = signing(decided("Approved", certificate="Yg=="), usages=["signing"])
    made = strategy.prepared(new, old, "approval")
    assert made["spec"] == old["spec"]
    assert made["status"] == {**decided("Approved"), "certificate": "YQ=="}
    made = strategy.prepared(new, old, "")
    assert (made["spec"], made["status"]) == (old["spec"], old["status"])


def test_a_request_says_who_made_it() -> None:
    """Whatever it says itself."""
    strategy = strategy_of(kind_of(signing()))
    forged = signing(username="root", uid="0", groups=["system:masters"], extra={"a": ["b"]})
    made = strategy.prepare_create(forged)
    assert made["spec"] == signing()["spec"]
    assert strategy.requested_by is not None
    user = User("ann", uid="1", groups=("ops",), extra={"k": ("v",)})
    assert strategy.requested_by(made, user)["spec"] == {
        **made["spec"],
        "username": "ann",
        "uid": "1",
        "groups": ["ops"],
        "extra": {"k": ["v"]},
    }


def bundle(name: str, *parts: str, signer: str = "") -> Object:
    """Return a ClusterTrustBundle of several parts of PEM."""
    text = "".join(base64.b64decode(part).decode() for part in parts)
    spec = {"trustBundle": text, **({"signerName": signer} if signer else {})}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "ClusterTrustBundle",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_trust_bundles_hold_authorities_and_are_named_after_their_signer() -> None:
    """Served since 1.37."""
    anchor = certificate(authority=True)
    assert creation(bundle("a", anchor), "1.37") == []
    assert creation(bundle("a.b:c:x", anchor, signer="a.b/c"), "1.37") == []
    assert creation(bundle("x:y"), "1.37") == told("""
        - metadata.name: Invalid value: "x:y": ClusterTrustBundle without signer name must not have
          ":" in its name
        - spec.trustBundle: Invalid value: "<value omitted>": at least one trust anchor must be
          provided
        """)
    assert creation(bundle("x", certificate(), request(), signer="a.b/c"), "1.37") == told("""
        - metadata.name: Invalid value: "x": ClusterTrustBundle for signerName a.b/c must be named
          with prefix a.b:c:
        - spec.trustBundle: Invalid value: "<value omitted>": entry 0 does not have the CA bit set
        - spec.trustBundle: Invalid value: "<value omitted>": entry 1 has bad block type:
          CERTIFICATE REQUEST
        """)
    assert creation(bundle("a", anchor, anchor), "1.37") == told("""
        - spec.trustBundle: Invalid value: "<value omitted>": duplicate trust anchor (indices
          [0 1])
        """)
