"""The key that signs ServiceAccount tokens: made from the system's randomness, kept in a file.

Nothing here loads the cryptography library before a token is made or read.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from jwt.types import Options

_UNCHECKED: Final[Options] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""What a token says is judged by `orchestrator.access.accounts`, by the cluster's own clock."""


class _Pair(NamedTuple):
    private: RSAPrivateKey | EllipticCurvePrivateKey
    public: RSAPublicKey | EllipticCurvePublicKey
    identifier: str
    algorithm: str


class SigningKey:
    """Signs and verifies JSON Web Tokens with one key pair.

    A new key is an elliptic one, made in a millisecond and quick to sign with; an RSA key that
    somebody put in the file's place is used as well.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Keep the key at ``file``, PEM with mode 0600; None keeps it in memory."""
        self._file = file

    @cached_property
    def _pair(self) -> _Pair:
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            PublicFormat,
            load_pem_private_key,
        )

        private: RSAPrivateKey | EllipticCurvePrivateKey | None = None
        if self._file is not None and self._file.exists():
            # A damaged one is made anew, and all its tokens are void.
            with contextlib.suppress(ValueError):
                found = load_pem_private_key(self._file.read_bytes(), None)
                if isinstance(found, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
                    private = found
        if private is None:
            private = ec.generate_private_key(ec.SECP256R1())
            if self._file is not None:
                data = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                _write(self._file, data)
        public = private.public_key()
        form = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form).digest()).rstrip(b"=").decode()
        elliptic = isinstance(private, ec.EllipticCurvePrivateKey)
        return _Pair(private, public, digest, "ES256" if elliptic else "RS256")

    @property
    def algorithm(self) -> str:
        """``ES256`` or ``RS256``."""
        return self._pair.algorithm

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a token with these claims."""
        import jwt

        pair = self._pair
        headers = {"kid": pair.identifier, "typ": None}
        return jwt.encode(claims, pair.private, algorithm=pair.algorithm, headers=headers)

    def verified(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token that this key has signed; None for any other."""
        import jwt

        pair = self._pair
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                pair.public,
                algorithms=[pair.algorithm],
                options=_UNCHECKED,
            )
        except jwt.InvalidTokenError:
            return None
        return claims

    def published(self) -> list[dict[str, Any]]:
        """Return the public key as JSON Web Keys, for whoever verifies tokens elsewhere."""
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from jwt.algorithms import ECAlgorithm, RSAAlgorithm

        pair = self._pair
        if isinstance(pair.public, EllipticCurvePublicKey):
            key = ECAlgorithm.to_jwk(pair.public, as_dict=True)
        else:
            key = RSAAlgorithm.to_jwk(pair.public, as_dict=True)
        for field in ("key_ops", "use"):
            key.pop(field, None)
        return [{"use": "sig", "kid": pair.identifier, "alg": pair.algorithm, **key}]


def _write(file: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(descriptor, "wb") as stream:  # mkstemp makes it 0600
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    Path(temporary).replace(file)
