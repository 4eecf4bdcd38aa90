"""What others need to verify ServiceAccounts' tokens: OIDC discovery and the public keys.

Rules: k8s.io/kubernetes/pkg/serviceaccount/openidmetadata.go and pkg/routes/openidmetadata.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import orjson

from orchestrator.access.accounts import ISSUER
from orchestrator.api._responses import Response

if TYPE_CHECKING:
    from orchestrator.access import AccountTokens

CONFIGURATION: Final = "/.well-known/openid-configuration"
KEYS: Final = "/openid/v1/jwks"


def issuer_pages(accounts: AccountTokens, address: str) -> Mapping[str, Callable[[], Response]]:
    """Return the pages by path.

    Args:
        accounts: Whose key it is.
        address: ``host:port`` of the API server.
    """

    def configuration() -> Response:
        return Response(
            200,
            orjson.dumps(
                {
                    "issuer": ISSUER,
                    "jwks_uri": f"https://{address}{KEYS}",
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": [accounts.key.algorithm],
                }
            ),
        )

    def keys() -> Response:
        body = orjson.dumps({"keys": accounts.key.published()})
        return Response(200, body, b"application/jwk-set+json")

    return {CONFIGURATION: configuration, KEYS: keys}
