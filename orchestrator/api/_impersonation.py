"""Acting as another user: ``Impersonate-*`` headers, for whoever has the verb ``impersonate``.

Rules: k8s.io/apiserver/pkg/endpoints/filters/impersonation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from orchestrator.access.accounts import account_groups, split_user_name
from orchestrator.resources.errors import internal_error
from orchestrator.resources.rbac import Attributes, forbidden_access
from orchestrator.resources.users import User

if TYPE_CHECKING:
    from orchestrator.access import Authorizer
    from orchestrator.api._requests import Request

_PREFIX: Final = b"impersonate-"
_EXTRA: Final = b"impersonate-extra-"
_AUTHENTICATION: Final = "authentication.k8s.io"
_AUTHENTICATED: Final = "system:authenticated"
_UNAUTHENTICATED: Final = "system:unauthenticated"


class _Wanted(NamedTuple):
    user: str
    uid: str
    groups: tuple[str, ...]
    extra: dict[str, tuple[str, ...]]


def impersonated(request: Request, actor: User, authorizer: Authorizer) -> User:
    """Return the user that a request wants to be made as.

    Args:
        request: With its headers.
        actor: Who makes it.
        authorizer: Says whether they may.

    Raises:
        StatusError: 403, one part of it is not allowed; 500, no user is named.
    """
    wanted = _read(request)
    if wanted is None:
        return actor
    asked = list(_attributes(wanted))
    if not wanted.user:
        raise internal_error(
            "requested impersonation of groups, a uid or extra values without impersonating a user"
        )
    for one in asked:
        decision = authorizer.decide(actor, one)
        if not decision.allowed:
            raise forbidden_access(actor.name, one, decision.reason)
    groups = wanted.groups
    account = split_user_name(wanted.user)
    if account is not None and not groups:
        groups = account_groups(account[0])
    if wanted.user == "system:anonymous":
        if _UNAUTHENTICATED not in groups:
            groups = (*groups, _UNAUTHENTICATED)
    elif not {_AUTHENTICATED, _UNAUTHENTICATED}.intersection(groups):
        groups = (*groups, _AUTHENTICATED)
    return User(wanted.user, wanted.uid, groups, wanted.extra)


def _read(request: Request) -> _Wanted | None:
    user = uid = ""
    groups: list[str] = []
    extra: dict[str, tuple[str, ...]] = {}
    for name, raw in request.repeated(_PREFIX):
        value = raw.decode("utf-8", "replace")
        if name.startswith(_EXTRA):
            key = unquote(name[len(_EXTRA) :].decode("latin-1")).lower()
            extra[key] = (*extra.get(key, ()), value)
        elif name == b"impersonate-user":
            user = user or value
        elif name == b"impersonate-uid":
            uid = uid or value
        elif name == b"impersonate-group":
            groups.append(value)
    if not (user or uid or groups or extra):
        return None
    return _Wanted(user, uid, tuple(groups), extra)


def _attributes(wanted: _Wanted) -> list[Attributes]:
    """Return everything that has to be allowed."""
    account = split_user_name(wanted.user)
    if account is None:
        asked = [Attributes("impersonate", resource="users", name=wanted.user, version="v1")]
    else:
        namespace, name = account
        asked = [
            Attributes(
                "impersonate",
                resource="serviceaccounts",
                namespace=namespace,
                name=name,
                version="v1",
            )
        ]
    asked += [
        Attributes("impersonate", resource="groups", name=group, version="v1")
        for group in wanted.groups
    ]
    asked += [
        Attributes(
            "impersonate", _AUTHENTICATION, "userextras", subresource=key, name=value, version="v1"
        )
        for key, values in wanted.extra.items()
        for value in values
    ]
    if wanted.uid:
        asked.append(
            Attributes("impersonate", _AUTHENTICATION, "uids", name=wanted.uid, version="v1")
        )
    return asked
