"""``AdmissionReview``: what is asked, and what an answer comes to. Pure.

Source of the words: k8s.io/apiserver pkg/admission/plugin/webhook/{errors,request,mutating}.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final, NamedTuple

import orjson

from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.store.admission import Attributes
from orchestrator.store.admission.requests import admission_request

_VERSIONS: Final = ("v1", "v1beta1")


class ReviewError(Exception):
    """An answer that is none; the text is upstream's."""


class Verdict(NamedTuple):
    """What a webhook said.

    Attributes:
        allowed: Whether the request may go on.
        status: Why not, as a Status object.
        patch: Operations of a JSON patch; empty for no change.
        warnings: For the user.
    """

    allowed: bool
    status: Object
    patch: list[Any]
    warnings: list[str]


def review_version(webhook: Object) -> str:
    """Return the version of the review that a webhook understands.

    Raises:
        ReviewError: It knows none that this server speaks.
    """
    asked = webhook.get("admissionReviewVersions") or ()
    for version in asked:
        if version in _VERSIONS:
            return str(version)
    raise ReviewError(
        f"webhook does not accept known AdmissionReview versions (v1, v1beta1): {list(asked)}"
    )


def review_request(attributes: Attributes, seen: Kind, uid: str, version: str) -> Object:
    """Build the review of a request.

    Args:
        attributes: The request, its objects in the version of ``seen``.
        seen: The version that the webhook wants to see; ``attributes.kind`` is the request's.
        uid: Of this review.
        version: ``v1`` or ``v1beta1``.
    """
    request = admission_request(attributes, seen)
    request["uid"] = uid
    return {
        "kind": "AdmissionReview",
        "apiVersion": f"admission.k8s.io/{version}",
        "request": request,
    }


def read_review(answer: Any, uid: str, version: str, *, mutating: bool) -> Verdict:
    """Read a webhook's answer.

    Raises:
        ReviewError: It is no answer to that review.
    """
    wanted = f"admission.k8s.io/{version}"
    if not isinstance(answer, dict):
        raise ReviewError("expected webhook response to be an object")
    found, kind = answer.get("apiVersion", ""), answer.get("kind", "")
    if version == "v1" and (found != wanted or kind != "AdmissionReview"):
        raise ReviewError(
            f"expected webhook response of {wanted}, Kind=AdmissionReview, got {found}, Kind={kind}"
        )
    response = answer.get("response")
    if not isinstance(response, dict):
        raise ReviewError("webhook response was absent")
    if version == "v1" and response.get("uid") != uid:
        raise ReviewError(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    return Verdict(
        bool(response.get("allowed")),
        _mapping(response.get("status")),
        _patch(response, version, mutating=mutating),
        [str(text) for text in response.get("warnings") or ()],
    )


def _patch(response: Object, version: str, *, mutating: bool) -> list[Any]:
    patch, type_ = response.get("patch"), response.get("patchType")
    if not mutating:
        if version == "v1" and (patch or type_):
            field = "response.patch" if patch else "response.patchType"
            raise ReviewError(f"validating webhook may not return {field}")
        return []
    if not patch:
        if type_ and version == "v1":
            raise ReviewError("webhook returned response.patchType but not response.patch")
        return []
    if not type_ and version == "v1":
        raise ReviewError("webhook returned response.patch but not response.patchType")
    if (type_ or "JSONPatch") != "JSONPatch":
        raise ReviewError(
            f'webhook returned invalid response.patchType of "{type_}"; only JSONPatch is supported'
        )
    try:
        operations = orjson.loads(base64.b64decode(patch, validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise ReviewError(f"received undecodable patch in webhook response: {error}") from error
    return operations if isinstance(operations, list) else []


def _mapping(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def denial(name: str, status: Object) -> StatusError:
    """Return the refusal that a webhook's verdict is."""
    denied = f'admission webhook "{name}" denied the request'
    message, reason = str(status.get("message") or ""), str(status.get("reason") or "")
    if message:
        text = f"{denied}: {message}"
    elif reason:
        text = f"{denied}: {reason}"
    else:
        text = f"{denied} without explanation"
    code = status.get("code")
    if not isinstance(code, int) or code < 400:
        code = 400
    return StatusError(code, reason, text, status.get("details"))
