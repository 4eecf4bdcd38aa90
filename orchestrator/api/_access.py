"""Who asks, and whether they may: in front of every request.

The order is upstream's: authentication, impersonation, authorization, and only then is looked
whether what was asked for exists. The administrator's way through costs about a microsecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.access import ALWAYS_ALLOW, Authorizer, TokenError
from orchestrator.access.authorizing import MASTERS
from orchestrator.api._attributes import attributes_of
from orchestrator.api._impersonation import impersonated
from orchestrator.api.tokens import TokenCheck
from orchestrator.resources.errors import unauthorized
from orchestrator.resources.rbac import Attributes, forbidden_access
from orchestrator.resources.users import ADMIN, User

if TYPE_CHECKING:
    from orchestrator.access import AccountTokens
    from orchestrator.api._requests import Request

ANONYMOUS: Final = User("system:anonymous", groups=("system:unauthenticated",))
"""Who shows nothing; upstream's ``--anonymous-auth``, on by default."""

_HEALTH: Final = ("/healthz", "/livez", "/readyz")
"""Answered to everyone whatever the roles say, as upstream's ``--authorization-always-allow-paths``
can be told to: a prober must not depend on objects in the store it probes."""


class Access:
    """Authentication and authorization of requests.

    Attributes:
        accounts: For ServiceAccounts' tokens.
        authorizer: Decides what users may do.
        tokens: Users by tokens of their own, as of upstream's ``--token-auth-file``.
    """

    def __init__(
        self, token: str | None, accounts: AccountTokens, authorizer: Authorizer, *, anonymous: bool
    ) -> None:
        """Guard an API.

        Args:
            token: The administrator's; None makes everyone who shows nothing the administrator.
            accounts: For ServiceAccounts' tokens.
            authorizer: Decides what users may do.
            anonymous: Whether requests without credentials are `ANONYMOUS`, or refused.
        """
        self.accounts = accounts
        self.authorizer = authorizer
        self.tokens: dict[str, User] = {}
        self._check = TokenCheck(token)
        self._open = token is None
        self._nobody = ANONYMOUS if anonymous else None

    def admit(self, request: Request) -> None:
        """Set ``request.user``.

        Raises:
            StatusError: 401, bad credentials; 403, not allowed.
        """
        user = request.user = self.identify(request)
        if MASTERS in user.groups or self.authorizer is ALWAYS_ALLOW:
            return
        if request.path.startswith(_HEALTH) and request.method in {"GET", "HEAD"}:
            return
        self.require(user, attributes_of(request))

    def identify(self, request: Request) -> User:
        """Return who asks, or whom it is asked for.

        Raises:
            StatusError: 401, bad credentials; 403, that user must not be impersonated.
        """
        user = self.authenticate(request.headers.get(b"authorization"), request.peer)
        # One look at all names at once: nearly no request has such headers.
        if b"impersonate-" in b"\n".join(request.headers):
            user = impersonated(request, user, self.authorizer)
        return user

    def authenticate(self, authorization: bytes | None, peer: User | None = None) -> User:
        """Return who shows these credentials.

        Args:
            authorization: The ``Authorization`` header.
            peer: Whom the client's certificate names.

        Raises:
            StatusError: 401.
        """
        if authorization is not None and not self._open and self._check.allows(authorization):
            return ADMIN
        if peer is not None:
            return peer
        scheme, _, given = (authorization or b"").partition(b" ")
        token = given.strip().decode("latin-1")
        if scheme.lower() == b"bearer" and token:
            if (known := self.tokens.get(token)) is not None:
                return known
            try:
                accepted = self.accounts.accept(token)
            except TokenError:
                raise unauthorized() from None
            if accepted is not None:
                return accepted.user
            if not self._open:
                raise unauthorized()
        if self._open:
            return ADMIN
        if self._nobody is None:
            raise unauthorized()
        return self._nobody

    @property
    def audiences(self) -> tuple[str, ...]:
        """Who the API server is."""
        return self.accounts.audiences

    def authenticate_token(self, token: str) -> User:
        """Return whose bearer token it is.

        Raises:
            StatusError: 401, nobody's.
        """
        if self._open:  # there is no token at all
            raise unauthorized()
        return self.authenticate(b"Bearer " + token.encode())

    def require_create(self, request: Request) -> None:
        """Refuse a PUT or an apply that would create what its user may not.

        Raises:
            StatusError: 403.
        """
        if MASTERS not in request.user.groups and self.authorizer is not ALWAYS_ALLOW:
            self.require(request.user, attributes_of(request)._replace(verb="create"))

    def require(self, user: User, asked: Attributes) -> None:
        """Refuse what a user may not do.

        Raises:
            StatusError: 403 in upstream's words.
        """
        decision = self.authorizer.decide(user, asked)
        if not decision.allowed:
            raise forbidden_access(user.name, asked, decision.reason)
