"""The bearer token of the one user: made once, kept with mode 0600."""

from __future__ import annotations

import hmac
import re
import secrets
from pathlib import Path
from typing import Final

from orchestrator.api.certificates import write_private

_BYTES: Final = 32
_GOOD: Final = re.compile(r"[\x21-\x7e]{8,}")
"""What a header can carry and nobody guesses at once; users may put their own token there."""


def new_token() -> str:
    """Make a token from the operating system's randomness."""
    return secrets.token_urlsafe(_BYTES)


def ensure_token(path: Path) -> str:
    """Return the token kept at ``path``; make it on first use, or when what is there is none."""
    try:
        token = path.read_text().strip()
    except (FileNotFoundError, UnicodeDecodeError):
        token = ""
    if not _GOOD.fullmatch(token):
        token = new_token()
        write_private(path, token.encode() + b"\n")
    return token


class TokenCheck:
    """Decides whether an ``Authorization`` header carries the token; None lets everyone in."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        self._expected = b"" if token is None else token.encode()

    def allows(self, authorization: bytes | None) -> bool:
        """Compare in constant time; the scheme's case does not matter."""
        if self.token is None:
            return True
        if authorization is None:
            return False
        scheme, _, given = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._expected)
