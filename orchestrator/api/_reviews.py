"""Reviews: kinds that are asked, not stored. Who somebody is, and what somebody may do.

Rules: k8s.io/kubernetes/pkg/registry/authentication, pkg/registry/authorization and
pkg/apis/authorization/validation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.access import TokenError
from orchestrator.resources.errors import (
    FieldError,
    StatusError,
    bad_request,
    internal_error,
    invalid,
)
from orchestrator.resources.objects import Object, meta, namespace_of, spec_of
from orchestrator.resources.rbac import Attributes
from orchestrator.resources.users import User

if TYPE_CHECKING:
    from orchestrator.api._access import Access

KINDS: Final = frozenset(
    {
        "SelfSubjectReview",
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
        "LocalSubjectAccessReview",
        "TokenReview",
    }
)
"""Kinds `answer_review` knows."""

_GROUP: Final = "authorization.k8s.io"
_INVALID_TOKEN: Final = "invalid bearer token"  # noqa: S105 - upstream's error text


def answer_review(kind: str, asked: Object, user: User, namespace: str, access: Access) -> Object:
    """Return the review with its ``status``; nothing is stored.

    Args:
        kind: One of `KINDS`.
        asked: The object posted.
        user: Who posted it.
        namespace: Where; empty for kinds that are cluster-wide.
        access: What knows the answers.

    Raises:
        StatusError: 400 or 422, what is asked makes no sense.
    """
    spec = spec_of(asked)
    match kind:
        case "SelfSubjectReview":
            status: dict[str, Any] = {"userInfo": user_info(user)}
        case "TokenReview":
            status = _review_token(spec, access)
        case "SelfSubjectRulesReview":
            status = _rules(spec, user, access)
        case "SelfSubjectAccessReview":
            _check(kind, asked, spec, subject=False)
            status = _decide(spec, user, access)
        case _:
            if kind == "LocalSubjectAccessReview":
                _check_local(asked, spec, namespace)
            _check(kind, asked, spec, subject=True)
            extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
            subject = User(
                spec.get("user") or "",
                spec.get("uid") or "",
                tuple(spec.get("groups") or ()),
                extra,
            )
            status = _decide(spec, subject, access)
    answer = {key: value for key, value in asked.items() if key != "status"}
    answer.setdefault("metadata", {})
    return {**answer, "status": status}


def user_info(user: User) -> dict[str, Any]:
    """Return a user as ``authentication.k8s.io`` ``UserInfo``."""
    info: dict[str, Any] = {"username": user.name} if user.name else {}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _review_token(spec: dict[str, Any], access: Access) -> dict[str, Any]:
    token = spec.get("token") or ""
    if not token:
        raise bad_request("token is required for TokenReview in authentication")
    asked = tuple(spec.get("audiences") or ())
    try:
        accepted = access.accounts.accept(token, asked)
    except TokenError as error:
        return {"user": {}, "error": f"[{_INVALID_TOKEN}, {error}]"}
    if accepted is not None:
        audiences = list(accepted.audiences)
        return {"authenticated": True, "user": user_info(accepted.user), "audiences": audiences}
    try:
        user = access.authenticate_token(token)
    except StatusError:
        return {"user": {}, "error": _INVALID_TOKEN}
    # The administrator's token is for the API server, and for nobody else who may ask.
    audiences = [one for one in asked or access.accounts.audiences if one in access.audiences]
    if not audiences:
        raise internal_error("error validating audiences")
    return {"authenticated": True, "user": user_info(user), "audiences": audiences}


def _rules(spec: dict[str, Any], user: User, access: Access) -> dict[str, Any]:
    namespace = spec.get("namespace") or ""
    if not namespace:
        raise bad_request("no namespace on request")
    held = access.authorizer.held(user, namespace)
    fields = ("verbs", "apiGroups", "resources", "resourceNames")
    status: dict[str, Any] = {
        "resourceRules": [
            {field: rule[field] for field in fields if rule.get(field)}
            for rule in held.rules
            if rule.get("resources")
        ],
        "nonResourceRules": [
            {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
            for rule in held.rules
            if rule.get("nonResourceURLs")
        ],
        "incomplete": False,
    }
    if held.error:
        status["evaluationError"] = held.error
    return status


def _decide(spec: dict[str, Any], user: User, access: Access) -> dict[str, Any]:
    decision = access.authorizer.decide(user, _attributes(spec))
    status: dict[str, Any] = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return status


def _attributes(spec: dict[str, Any]) -> Attributes:
    if (path := spec.get("nonResourceAttributes")) is not None:
        return Attributes((path.get("verb") or "").lower(), path=path.get("path") or "")
    given = spec.get("resourceAttributes") or {}
    return Attributes(
        given.get("verb") or "",
        given.get("group") or "",
        given.get("resource") or "",
        given.get("subresource") or "",
        given.get("namespace") or "",
        given.get("name") or "",
        version=given.get("version") or "",
    )


def _check(kind: str, asked: Object, spec: dict[str, Any], *, subject: bool) -> None:
    causes: list[FieldError] = []
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        why = "cannot be specified in combination with resourceAttributes"
        causes.append(_cause("spec.nonResourceAttributes", "{...}", why))
    elif resource is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes.append(_cause("spec.resourceAttributes", "null", why))
    if subject and not spec.get("user") and not spec.get("groups"):
        causes.append(_cause("spec.user", '""', "at least one of user or group must be specified"))
    allowed = {"managedFields", "namespace"} if kind.startswith("Local") else {"managedFields"}
    if any(value for field, value in meta(asked).items() if field not in allowed):
        causes.append(_cause("metadata", "{...}", "must be empty"))
    if causes:
        raise invalid(kind, _GROUP, "", causes)


def _check_local(asked: Object, spec: dict[str, Any], namespace: str) -> None:
    place = namespace_of(asked) or namespace
    if place != namespace:
        raise bad_request(f"namespace on request must match namespace in spec: {place}")
    if spec.get("nonResourceAttributes") is not None:
        why = "disallowed on this kind of request"
        cause = _cause("spec.nonResourceAttributes", "{...}", why)
        raise invalid("LocalSubjectAccessReview", _GROUP, "", [cause])
    given = (spec.get("resourceAttributes") or {}).get("namespace") or ""
    if given != namespace:
        why = "must match metadata.namespace"
        cause = _cause("spec.resourceAttributes.namespace", f'"{given}"', why)
        raise invalid("LocalSubjectAccessReview", _GROUP, "", [cause])


def _cause(field: str, value: str, why: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, f"Invalid value: {value}: {why}")
