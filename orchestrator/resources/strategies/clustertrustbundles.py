"""ClusterTrustBundles: certificates to trust, each bundle named after its signer.

Source: pkg/apis/certificates/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, name_of, spec_of
from orchestrator.resources.problems import (
    each_invalid,
    immutable,
    invalid,
    too_long,
)
from orchestrator.resources.strategies._certificates import blocks, certificate_of
from orchestrator.resources.strategies._formats import signer_name
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Strategy, build

_FIELD: Final = "spec.trustBundle"
_LIMIT: Final = 1024 * 1024
_OMITTED: Final = "<value omitted>"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of ClusterTrustBundles."""
    return build(
        has_status=False,
        create_checks=(metadata_check(names.path_segment, namespaced=False), _name, _spec),
        update_checks=(metadata_update_check(), _same_signer),
        fields=("spec.signerName",),
    )


def _same_signer(new: Object, old: Object) -> list[FieldError]:
    after, before = (spec_of(obj).get("signerName") or "" for obj in (new, old))
    return immutable("spec.signerName", after, before)


def _name(obj: Object) -> list[FieldError]:
    name, signer = name_of(obj), spec_of(obj).get("signerName") or ""
    if not name:
        return []
    if not signer:
        if ":" in name:
            why = 'ClusterTrustBundle without signer name must not have ":" in its name'
            return [invalid("metadata.name", name, why)]
        return each_invalid("metadata.name", name, names.dns_subdomain(name))
    prefix = signer.replace("/", ":") + ":"
    if not name.startswith(prefix):
        why = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        return [invalid("metadata.name", name, why)]
    return each_invalid("metadata.name", name, names.dns_subdomain(name.removeprefix(prefix)))


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    signer, bundle = spec.get("signerName") or "", spec.get("trustBundle") or ""
    found = signer_name("spec.signerName", signer) if signer else []
    if len(bundle.encode()) > _LIMIT:
        return [*found, too_long(_FIELD, _LIMIT)]
    return found + [invalid(_FIELD, _OMITTED, wrong) for wrong in _bundle(bundle.encode())]


def _bundle(pem: bytes) -> list[str]:
    """Return what is wrong with the certificates; duplicates count only where all can be read."""
    from cryptography.x509 import BasicConstraints, ExtensionNotFound

    found: list[str] = []
    seen: dict[bytes, list[int]] = {}
    for index, block in enumerate(blocks(pem)):
        if block.type != "CERTIFICATE":
            found.append(f"entry {index} has bad block type: {block.type}")
            continue
        if block.headers:
            found.append(f"entry {index} has PEM block headers")
            continue
        certificate = certificate_of(block.data)
        if certificate is None:
            found.append(f"entry {index} does not parse as X.509")
            continue
        try:
            trusted = certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
        except (ExtensionNotFound, ValueError):
            trusted = False
        if not trusted:
            found.append(f"entry {index} does not have the CA bit set")
            continue
        seen.setdefault(block.data, []).append(index)
    if found:
        return found
    if not seen:
        return ["at least one trust anchor must be provided"]
    return [
        f"duplicate trust anchor (indices [{' '.join(map(str, indices))}])"
        for indices in seen.values()
        if len(indices) > 1
    ]
