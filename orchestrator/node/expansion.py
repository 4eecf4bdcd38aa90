"""``$(VAR)`` in commands, arguments and environment values, by Kubernetes' rules.

``$(NAME)`` is replaced when NAME is known and left as it is when not; ``$$`` is a literal dollar,
so ``$$(NAME)`` stays ``$(NAME)``. (k8s.io/kubernetes/third_party/forked/golang/expansion)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Return ``text`` with its references replaced."""
    if "$" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "$"
        return variables.get(name, match[0])

    return _REFERENCE.sub(replace, text)
