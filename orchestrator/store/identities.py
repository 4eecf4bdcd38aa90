"""Names and uids that the store gives out."""

from __future__ import annotations

import os
import random
import re

from orchestrator.resources.objects import Object

NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Upstream's: no vowels and no look-alikes, so that no words come out."""

SUFFIX_LENGTH = 5
MAX_GENERATED_NAME = 63
_SUFFIX = re.compile(f"[{NAME_ALPHABET}]{{{SUFFIX_LENGTH}}}")
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_POOL = 16 * 256


class Identities:
    """Makes name suffixes and uids.

    Names are no secrets and come from the system's generator, so that a seeded simulation repeats
    them. Uids come from the operating system, unless ``seeded`` asks for one history per seed.
    """

    def __init__(self, source: random.Random, *, seeded: bool = False) -> None:
        self._random = source
        self._seeded = seeded
        self._pool = ""
        self._used = 0

    def name(self, prefix: str) -> str:
        """Return ``prefix`` with a random suffix, cut as upstream cuts it to stay a label."""
        kept = prefix[: MAX_GENERATED_NAME - SUFFIX_LENGTH]
        return kept + "".join(self._random.choices(NAME_ALPHABET, k=SUFFIX_LENGTH))

    def uid(self) -> str:
        """Return a random (version 4) UUID."""
        if self._seeded:
            digits = f"{self._random.getrandbits(128):032x}"
        else:
            if self._used == len(self._pool):
                self._pool = os.urandom(_POOL).hex()  # one system call for 256 of them
                self._used = 0
            digits = self._pool[self._used : self._used + 32]
            self._used += 32
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-"
            f"{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"
        )


def named(obj: Object) -> str:
    """Return what a refusal calls an object.

    A controller has drawn its pods' names already, where upstream's server would do so later: they
    are called by what their names begin with, so that one refusal reads the same every time and is
    counted as one Event. A StatefulSet's pods say both, and have the name that they were given.
    """
    metadata = obj["metadata"]
    name: str = metadata.get("name") or ""
    prefix: str = metadata.get("generateName") or ""
    if not name:
        return prefix
    drawn = prefix and name.startswith(prefix) and _SUFFIX.fullmatch(name, len(prefix))
    return prefix if drawn else name
