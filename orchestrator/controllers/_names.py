"""Random ends of names. Rules: k8s.io/apiserver/pkg/storage/names."""

from __future__ import annotations

import random
from typing import Final

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Nothing that could make a word, or be taken for another sign."""
_LENGTH: Final = 5


def random_suffix(chance: random.Random) -> str:
    """Return five characters such as upstream puts at the end of a generated name."""
    return "".join(chance.choices(_ALPHABET, k=_LENGTH))
