"""CertificateSigningRequests: what they ask, and who may change which part of their status.

Source: pkg/apis/certificates/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of, status_of
from orchestrator.resources.problems import (
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    shown,
)
from orchestrator.resources.strategies._certificates import certificate_problem, request_problem
from orchestrator.resources.strategies._formats import signer_name
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, put
from orchestrator.resources.strategies._strategy import (
    STATUS_METADATA,
    Strategy,
    SubresourceRules,
    ValidateUpdate,
    build,
    combined,
    combined_update,
    status_preparation,
)
from orchestrator.resources.users import User

_USAGES: Final = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
_LEGACY_SIGNER: Final = "kubernetes.io/legacy-unknown"
_SHORTEST: Final = 600
_LASTING: Final = ("Approved", "Denied", "Failed")
"""Conditions that are true or absent, and never taken back."""
_DECISIONS: Final = ("Approved", "Denied")
_STATUSES: Final = ("False", "True", "Unknown")
_REQUESTER: Final = ("username", "uid", "groups", "extra")
_CONDITIONS: Final = "status.conditions"
_CERTIFICATE: Final = "status.certificate"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of CertificateSigningRequests; their spec never changes."""
    whole = combined(metadata_check(names.path_segment, namespaced=False), _request, _conditions)
    metadata_update = metadata_update_check()

    def changes(*checks: ValidateUpdate) -> ValidateUpdate:
        return combined_update(
            metadata_update, lambda new, _old: whole(new), _lasting_conditions, *checks
        )

    return build(
        has_status=True,
        first_status={},
        create_checks=(whole,),
        update_checks=(metadata_update,),
        status_checks=(changes(_same_decisions, _new_certificate),),
        prepare_create=_anonymous,
        prepare_update=lambda new, old: put(new, "spec", old.get("spec")),
        requested_by=_requested_by,
        subresources={
            "approval": SubresourceRules(
                status_preparation(*STATUS_METADATA, status=_with_conditions),
                changes(_same_certificate),
            )
        },
        fields=("spec.signerName",),
    )


def _anonymous(obj: Object) -> Object:
    """Take away who a request says it comes from."""
    spec = spec_of(obj)
    for field in _REQUESTER:
        spec = put(spec, field, None)
    return put(obj, "spec", spec)


def _requested_by(obj: Object, user: User) -> Object:
    """Note who made a request."""
    told: dict[str, Any] = {"username": user.name}
    if user.uid:
        told["uid"] = user.uid
    if user.groups:
        told["groups"] = list(user.groups)
    if user.extra:
        told["extra"] = {key: list(values) for key, values in user.extra.items()}
    return {**obj, "spec": {**spec_of(obj), **told}}


def _with_conditions(given: Part | None, old: Part | None) -> Part | None:
    """Return the old status with the conditions that an approver gives."""
    return put(old or {}, "conditions", (given or {}).get("conditions")) or None


def _request(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    request = spec.get("request") or ""
    wrong = request_problem(request)
    found = [invalid("spec.request", request, wrong)] if wrong else []
    usages = spec.get("usages") or []
    if not usages:
        found.append(required("spec.usages"))
    found += [
        not_supported(f"spec.usages[{index}]", usage, _USAGES)
        for index, usage in enumerate(usages)
        if usage not in _USAGES
    ]
    found += [
        duplicate(f"spec.usages[{index}]", usage)
        for index, usage in enumerate(usages)
        if usage in usages[:index]
    ]
    signer = spec.get("signerName") or ""
    if signer == _LEGACY_SIGNER:
        why = "the legacy signerName is not allowed via this API version"
        found.append(invalid("spec.signerName", signer, why))
    else:
        found += signer_name("spec.signerName", signer)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(invalid("spec.expirationSeconds", seconds, why))
    return found


def _conditions(obj: Object) -> list[FieldError]:
    found: list[FieldError] = []
    seen: list[str] = []
    for index, condition in enumerate(status_of(obj).get("conditions") or ()):
        at = f"{_CONDITIONS}[{index}]"
        type_, status = condition.get("type") or "", condition.get("status") or ""
        if not type_:
            found.append(required(f"{at}.type"))
        allowed = ("True",) if type_ in _LASTING else _STATUSES
        if not status:
            found.append(required(f"{at}.status"))
        elif status not in allowed:
            found.append(not_supported(f"{at}.status", status, allowed))
        if type_ in _DECISIONS and any(one != type_ for one in seen if one in _DECISIONS):
            why = "Approved and Denied conditions are mutually exclusive"
            found.append(invalid(f"{at}.type", type_, why))
        if type_ in seen:
            found.append(duplicate(f"{at}.type", type_))
        seen.append(type_)
    return found


def _of_type(obj: Object, type_: str) -> list[Part]:
    conditions: Iterable[Part] = status_of(obj).get("conditions") or ()
    return [condition for condition in conditions if condition.get("type") == type_]


def _lasting_conditions(new: Object, old: Object) -> list[FieldError]:
    return [
        forbidden(_CONDITIONS, f'updates may not remove a condition of type "{type_}"')
        for type_ in _LASTING
        if len(_of_type(new, type_)) < len(_of_type(old, type_))
    ]


def _same_decisions(new: Object, old: Object) -> list[FieldError]:
    found: list[FieldError] = []
    for type_ in _DECISIONS:
        after, before = _of_type(new, type_), _of_type(old, type_)
        if len(after) > len(before):
            found.append(
                forbidden(_CONDITIONS, f'updates may not add a condition of type "{type_}"')
            )
        elif len(after) == len(before) and after != before:
            change = f"- {shown(before)}\n+ {shown(after)}\n"
            why = f'updates may not modify a condition of type "{type_}"\n{change}'
            found.append(forbidden(_CONDITIONS, why))
    return found


def _new_certificate(new: Object, old: Object) -> list[FieldError]:
    after, before = (status_of(obj).get("certificate") or "" for obj in (new, old))
    if after == before:
        return []
    found: list[FieldError] = []
    if wrong := certificate_problem(after):
        found.append(invalid(_CERTIFICATE, "<certificate data>", wrong))
    if before:
        why = "updates may not modify existing certificate content"
        found.append(forbidden(_CERTIFICATE, why))
    return found


def _same_certificate(new: Object, old: Object) -> list[FieldError]:
    after, before = (status_of(obj).get("certificate") or "" for obj in (new, old))
    if after == before:
        return []
    return [forbidden(_CERTIFICATE, "updates may not set certificate content")]
