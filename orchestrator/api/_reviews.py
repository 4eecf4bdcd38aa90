"""Reviews: kinds that are asked, not stored. There is one user, and that user may do everything."""

from __future__ import annotations

import hmac
from typing import Any, Final

from orchestrator.resources.objects import Object, spec_of

USER: Final = "kubernetes-admin"
GROUPS: Final = ("system:masters", "system:authenticated")
_EVERYTHING: Final[dict[str, Any]] = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}
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


def _is_admin(spec: dict[str, Any]) -> bool:
    return spec.get("user") == USER or "system:masters" in (spec.get("groups") or ())


def answer_review(kind: str, asked: Object, token: str | None) -> Object:
    """Return the review with its ``status``; nothing is stored.

    Args:
        kind: One of `KINDS`.
        asked: The object posted.
        token: The server's bearer token, None when it asks for none.
    """
    spec = spec_of(asked)
    user = {"username": USER, "groups": list(GROUPS)}
    status: dict[str, Any]
    if kind == "SelfSubjectReview":
        status = {"userInfo": user}
    elif kind == "SelfSubjectAccessReview":
        status = {"allowed": True}
    elif kind == "SelfSubjectRulesReview":
        status = _EVERYTHING
    elif kind == "TokenReview":
        given = str(spec.get("token") or "")
        known = token is not None and hmac.compare_digest(given.encode(), token.encode())
        status = {"authenticated": True, "user": user} if known else {"user": {}}
    else:
        status = {"allowed": _is_admin(spec)}
    answer = {key: value for key, value in asked.items() if key != "status"}
    answer.setdefault("metadata", {})
    return {**answer, "status": status}
