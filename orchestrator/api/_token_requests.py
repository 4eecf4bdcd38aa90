"""Tokens for ServiceAccounts, asked for through ``serviceaccounts/token``.

Rules: k8s.io/kubernetes/pkg/registry/core/serviceaccount/storage and
pkg/apis/authentication/validation.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from orchestrator.resources.errors import (
    FieldError,
    StatusError,
    bad_request,
    conflict,
    invalid,
    not_found,
)
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of, uid_of
from orchestrator.resources.timestamps import format_time

if TYPE_CHECKING:
    from orchestrator.access import AccountTokens
    from orchestrator.store import Store

_GROUP: Final = "authentication.k8s.io"
_SECONDS: Final = 3600
_LEAST: Final = 600
_MOST: Final = 1 << 32
_BOUND: Final = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}
"""What a token can be bound to: kinds of the core group, with their resources."""


def token_request_kind(release: str) -> Kind:
    """Return the kind of the bodies: no resource of its own, so in no list of kinds."""
    return Kind(
        group=_GROUP,
        version="v1",
        kind="TokenRequest",
        plural="tokenrequests",
        singular="tokenrequest",
        namespaced=True,
        definition="io.k8s.api.authentication.v1.TokenRequest",
        release=release,
    )


class TokenRequests:
    """Answers requests for tokens."""

    def __init__(self, store: Store, accounts: AccountTokens) -> None:
        self._store = store
        self._accounts = accounts
        self.kind = token_request_kind(store.registry.version)

    def answer(self, account: Object, asked: Object, *, dry_run: bool = False) -> Object:
        """Return the TokenRequest with its token; nothing is stored.

        Args:
            account: The ServiceAccount.
            asked: The object posted.
            dry_run: Check, but make no token.

        Raises:
            StatusError: 400, 404, 409 or 422.
        """
        spec = spec_of(asked)
        seconds = spec.get("expirationSeconds")
        seconds = _SECONDS if seconds is None else seconds
        _check_seconds(name_of(account), seconds)
        bound = self._bound(account, spec.get("boundObjectRef"))
        audiences = spec.get("audiences") or list(self._accounts.audiences)
        spec = {**spec, "audiences": audiences, "expirationSeconds": seconds}
        metadata = {
            **asked.get("metadata", {}),
            "name": name_of(account),
            "namespace": namespace_of(account),
            "creationTimestamp": format_time(self._store.clock.now()),
        }
        answer = {**asked, "metadata": metadata, "spec": spec}
        if dry_run:
            return {**answer, "status": {"token": "", "expirationTimestamp": None}}
        # What makes a token unique is as secret as the token: never from the seeded generator.
        issued = self._accounts.issue(
            account, str(uuid.uuid4()), audiences=audiences, seconds=seconds, bound=bound
        )
        status = {"token": issued.token, "expirationTimestamp": format_time(issued.expires)}
        return {**answer, "status": status}

    def _bound(self, account: Object, reference: dict[str, Any] | None) -> Object | None:
        if reference is None:
            return None
        kind, version = reference.get("kind") or "", reference.get("apiVersion") or ""
        resource = _BOUND.get(kind)
        if resource is None or version not in {"", "v1"}:
            group, _, version = version.rpartition("/")
            raise bad_request(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
        name = reference.get("name") or ""
        namespace = "" if kind == "Node" else namespace_of(account)
        bound = self._store.get(resource, namespace, name)
        if bound is None:
            raise not_found(resource, name)
        if kind == "Pod" and spec_of(bound).get("serviceAccountName") != name_of(account):
            raise bad_request(
                f'cannot bind token for serviceaccount "{name_of(account)}" to pod running with '
                "different serviceaccount name."
            )
        uid = reference.get("uid")
        if uid and uid != uid_of(bound):
            raise conflict(
                kind,
                name,
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated",
            )
        return bound


def _check_seconds(name: str, seconds: int) -> None:
    """Refuse lives that are too short or too long.

    Raises:
        StatusError: 422.
    """
    why = ""
    if seconds < _LEAST:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > _MOST:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        field = "spec.expirationSeconds"
        cause = FieldError("FieldValueInvalid", field, f"Invalid value: {seconds}: {why}")
        raise invalid("TokenRequest", _GROUP, name, [cause])


def check_token_name(account: str, asked: Object) -> None:
    """Refuse a request whose name is not that of the account in the path.

    Raises:
        StatusError: 400.
    """
    named = name_of(asked)
    if named and named != account:
        raise StatusError(
            400,
            "BadRequest",
            f"the name of the object ({named}) does not match the name on the URL ({account})",
        )
