"""Secrets of type ``kubernetes.io/service-account-token``: filled, and taken with their account.

`orchestrator.controllers.accounts.actor` applies the plans.
Rules: k8s.io/kubernetes/pkg/controller/serviceaccount/tokens_controller.go.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from orchestrator.controllers.plans import Deletion, Plan, Update
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    namespace_of,
    uid_of,
    with_meta,
)

TYPE: Final = "kubernetes.io/service-account-token"
NAME: Final = "kubernetes.io/service-account.name"
UID: Final = "kubernetes.io/service-account.uid"


def account_name(secret: Object) -> str:
    """Return the ServiceAccount a Secret is a token of; empty for any other Secret."""
    return annotations_of(secret).get(NAME, "") if secret.get("type") == TYPE else ""


def decide_token(
    secret: Object, account: Object | None, ca: str, issue: Callable[[Object, Object], str]
) -> Plan:
    """Return what a token's Secret lacks; or its deletion, when its account is gone.

    Args:
        secret: As committed.
        account: The ServiceAccount it names, if it is there.
        ca: The cluster's CA as PEM; empty without TLS.
        issue: Makes the token of an account for a Secret.
    """
    plan = Plan()
    if is_deleting(secret):
        return plan
    uid = annotations_of(secret).get(UID)
    if account is None or (uid and uid != uid_of(account)):
        plan.delete.append(Deletion("secrets", secret, current=True))
        return plan
    data = secret.get("data") or {}
    wanted = {
        "namespace": _encoded(namespace_of(secret)),
        **({"ca.crt": _encoded(ca)} if ca else {}),
    }
    if not data.get("token"):
        wanted["token"] = _encoded(issue(account, secret))
    if wanted.items() <= data.items() and uid:
        return plan
    annotated = with_meta(secret, annotations={**annotations_of(secret), UID: uid_of(account)})
    plan.update.append(Update("secrets", secret, {**annotated, "data": {**data, **wanted}}))
    return plan


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
