"""ServiceAccount tokens: what they say, and whether it still holds.

Rules: k8s.io/kubernetes/pkg/serviceaccount (claims and their validation) and
pkg/registry/core/serviceaccount/storage (requests for tokens).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import orjson

from orchestrator.access.keys import SigningKey
from orchestrator.resources.objects import Object, meta, name_of, namespace_of, spec_of, uid_of
from orchestrator.resources.rbac.covering import quoted
from orchestrator.resources.timestamps import parse_time
from orchestrator.resources.users import User
from orchestrator.store.reading import Reads

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
"""Issuer and audience of tokens, upstream's customary one."""

LEGACY_ISSUER: Final = "kubernetes/serviceaccount"
EXTENSIBLE_SECONDS: Final = 3607
"""Life of the tokens in pods, as admission asks for them; known by this odd number."""

EXTENDED_SECONDS: Final = 365 * 24 * 3600
"""What such a token really lives, so that programs that never read it again go on working."""

LEEWAY: Final = 60.0
"""Seconds of grace about every moment in a token."""

_PRIVATE: Final = "kubernetes.io"
_LEGACY: Final = "kubernetes.io/serviceaccount/"
_FACTS: Final = "authentication.kubernetes.io/"
_REMEMBERED: Final = 2048
"""Verified tokens remembered; a kilobyte or two each."""

_INVALIDATED: Final = "service account token has been invalidated"


class TokenError(Exception):
    """A token of this cluster that is not good; the message is upstream's."""


class Accepted(NamedTuple):
    """A good token.

    Attributes:
        user: Whose it is.
        audiences: For whom, of those that were asked about.
    """

    user: User
    audiences: tuple[str, ...]


class _Known(NamedTuple):
    """A token whose signature was verified: what it says, and whose it is if it still holds."""

    claims: dict[str, Any]
    user: User


class Issued(NamedTuple):
    """A new token.

    Attributes:
        token: The text.
        expires: Wall seconds of its end.
    """

    token: str
    expires: float


class AccountTokens:
    """Issues tokens for ServiceAccounts and recognises them."""

    def __init__(
        self, store: Reads, key: SigningKey | None = None, audiences: tuple[str, ...] = (ISSUER,)
    ) -> None:
        """Issue and check tokens.

        Args:
            store: Where accounts and the objects that tokens are bound to live; its clock rules.
            key: What signs; None makes one that ends with this process.
            audiences: Who the API server is, to itself.
        """
        self.key = key or SigningKey()
        self.audiences = audiences
        self._store = store
        self._verified: dict[str, _Known] = {}

    # ---- issuing

    def issue(
        self,
        account: Object,
        identifier: str,
        *,
        audiences: Iterable[str] = (),
        seconds: int = 3600,
        bound: Object | None = None,
    ) -> Issued:
        """Make a token.

        Args:
            account: The ServiceAccount.
            identifier: A new UUID.
            audiences: For whom; empty for the API server.
            seconds: Its life.
            bound: The Pod, Secret or Node without which the token is void.
        """
        now = int(self._store.clock.now())
        wanted = tuple(audiences) or self.audiences
        about: dict[str, Any] = {
            "namespace": namespace_of(account),
            "serviceaccount": _reference(account),
        }
        life = seconds
        if bound is not None:
            about[bound["kind"].lower()] = _reference(bound)
            if bound["kind"] == "Pod":
                self._add_node(about, bound)
                if seconds == EXTENSIBLE_SECONDS and set(wanted) == set(self.audiences):
                    about["warnafter"] = now + seconds
                    life = EXTENDED_SECONDS
        claims = {
            "aud": list(wanted),
            "exp": now + life,
            "iat": now,
            "iss": ISSUER,
            "jti": identifier,
            _PRIVATE: about,
            "nbf": now,
            "sub": user_name(namespace_of(account), name_of(account)),
        }
        return Issued(self.key.sign(claims), now + seconds)

    def _add_node(self, about: dict[str, Any], pod: Object) -> None:
        name = spec_of(pod).get("nodeName")
        if name:
            node = self._store.get("nodes", "", name)
            about["node"] = {"name": name, **({"uid": uid_of(node)} if node else {})}

    def issue_legacy(self, account: Object, secret: Object) -> str:
        """Make the token without end that a Secret of type service-account-token holds."""
        namespace = namespace_of(account)
        return self.key.sign(
            {
                "iss": LEGACY_ISSUER,
                f"{_LEGACY}namespace": namespace,
                f"{_LEGACY}secret.name": name_of(secret),
                f"{_LEGACY}service-account.name": name_of(account),
                f"{_LEGACY}service-account.uid": uid_of(account),
                "sub": user_name(namespace, name_of(account)),
            }
        )

    # ---- checking

    def accept(self, token: str, audiences: tuple[str, ...] = ()) -> Accepted | None:
        """Return whose token it is; None when it is none of this cluster's.

        Args:
            token: As given.
            audiences: It must be for one of them; empty for the API server itself.

        Raises:
            TokenError: It was one, and is no longer good, or not for this audience.
        """
        known = self._verified.get(token)
        if known is None:
            if not _claims_issuer(token):
                return None
            read = self.key.verified(token)
            if read is None:
                raise TokenError("go-jose/go-jose: error in cryptographic primitive")
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            known = self._verified[token] = _Known(read, _user_of(read))
        claims, user = known
        asked = audiences or self.audiences
        if claims["iss"] == LEGACY_ISSUER:
            return self._accept_legacy(token, known, asked)
        found = tuple(audience for audience in asked if audience in claims.get("aud", ()))
        if not found:
            raise TokenError(
                f"token audiences {quoted(claims.get('aud', ()))} is invalid for the target "
                f"audiences {quoted(asked)}"
            )
        now = self._store.clock.now()
        if now - LEEWAY > claims["exp"]:
            raise TokenError("service account token has expired")
        if now + LEEWAY < claims["nbf"]:
            raise TokenError("service account token is not valid yet")
        about = claims[_PRIVATE]
        namespace = about["namespace"]
        self._check("serviceaccounts", namespace, about["serviceaccount"])
        if "pod" in about:
            self._check("pods", namespace, about["pod"])
        elif "node" in about:
            self._check("nodes", "", about["node"])
        if "secret" in about:
            self._check("secrets", namespace, about["secret"])
        return Accepted(user, found)

    def _accept_legacy(self, token: str, known: _Known, asked: tuple[str, ...]) -> Accepted:
        claims, user = known
        found = tuple(audience for audience in asked if audience in self.audiences)
        if not found:
            raise TokenError(
                f"token audiences {quoted(self.audiences)} is invalid for the target audiences "
                f"{quoted(asked)}"
            )
        namespace = claims[f"{_LEGACY}namespace"]
        secret = self._store.get("secrets", namespace, claims[f"{_LEGACY}secret.name"])
        if secret is None or meta(secret).get("deletionTimestamp"):
            raise TokenError(_INVALIDATED)
        if _decoded((secret.get("data") or {}).get("token")) != token:
            raise TokenError("service account token does not match server's copy")
        account = {
            "name": claims[f"{_LEGACY}service-account.name"],
            "uid": claims[f"{_LEGACY}service-account.uid"],
        }
        self._check("serviceaccounts", namespace, account)
        return Accepted(user, found)

    def _check(self, resource: str, namespace: str, reference: dict[str, str]) -> None:
        """Refuse a token whose account or bound object is gone, or another of the same name."""
        found = self._store.get(resource, namespace, reference["name"])
        if found is None or found["metadata"]["uid"] != reference.get("uid"):
            raise TokenError(_INVALIDATED)
        deleted = found["metadata"].get("deletionTimestamp")
        if deleted and parse_time(deleted) < self._store.clock.now() - LEEWAY:
            raise TokenError(_INVALIDATED)


def _user_of(claims: dict[str, Any]) -> User:
    if claims["iss"] == LEGACY_ISSUER:
        name = claims[f"{_LEGACY}service-account.name"]
        uid = claims[f"{_LEGACY}service-account.uid"]
        return account_user(claims[f"{_LEGACY}namespace"], name, uid, {})
    about = claims[_PRIVATE]
    account, pod, node = about["serviceaccount"], about.get("pod"), about.get("node")
    extra: dict[str, tuple[str, ...]] = {f"{_FACTS}credential-id": (f"JTI={claims['jti']}",)}
    if pod is not None:
        extra |= {f"{_FACTS}pod-name": (pod["name"],), f"{_FACTS}pod-uid": (pod["uid"],)}
    if node is not None:
        extra[f"{_FACTS}node-name"] = (node["name"],)
        if node.get("uid"):
            extra[f"{_FACTS}node-uid"] = (node["uid"],)
    return account_user(about["namespace"], account["name"], account["uid"], extra)


def account_user(namespace: str, name: str, uid: str, extra: dict[str, tuple[str, ...]]) -> User:
    """Return the user that a ServiceAccount is."""
    groups = (*account_groups(namespace), "system:authenticated")
    return User(user_name(namespace, name), uid, groups, extra)


def user_name(namespace: str, name: str) -> str:
    """Return the user name of a ServiceAccount."""
    return f"system:serviceaccount:{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, str]:
    """Return the groups that all ServiceAccounts of a namespace are in."""
    return "system:serviceaccounts", f"system:serviceaccounts:{namespace}"


def split_user_name(name: str) -> tuple[str, str] | None:
    """Return namespace and name of the ServiceAccount that a user name stands for."""
    parts = name.split(":")
    if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or not all(parts[2:]):
        return None
    return parts[2], parts[3]


def _reference(obj: Object) -> dict[str, str]:
    return {"name": name_of(obj), "uid": uid_of(obj)}


def _decoded(text: str | None) -> str:
    import base64

    try:
        return base64.b64decode(text or "").decode()
    except ValueError:
        return ""


def _claims_issuer(token: str) -> bool:
    """Tell, without verifying anything, whether a token claims to come from here."""
    import base64

    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return False
    # Not in a set: it may be anything, also what has no hash.
    return isinstance(claims, dict) and claims.get("iss") in (ISSUER, LEGACY_ISSUER)
