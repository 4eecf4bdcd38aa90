"""Which kinds a version's published definitions have, found without reading all that they say.

To read the whole document takes ten times as long, and nobody needs a schema before a client writes
something. The search relies on how the document is set, which `orchestrator.resources.definitions`
does not: where it finds nothing, the document has to be read.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

GroupVersionKind: TypeAlias = tuple[str, str, str]

_MARK: Final = re.compile(
    rb'\n    "([\w.-]+)": \{\n'  # where a definition begins
    rb'|\n      "x-kubernetes-group-version-kind": \[([^\]]*)\]'
)
_KIND: Final = re.compile(
    rb'\{\s*"group": "([^"]*)",\s*"kind": "([^"]*)",\s*"version": "([^"]*)"\s*\}'
)


def find_kinds(document: bytes) -> dict[GroupVersionKind, str]:
    """Return the definition of each kind, for definitions of one kind only.

    Args:
        document: As it is packaged.
    """
    found: dict[GroupVersionKind, str] = {}
    name = ""
    for mark in _MARK.finditer(document):
        if mark[1] is not None:
            name = mark[1].decode()
        elif len(kinds := _KIND.findall(mark[2])) == 1:
            group, kind, version = kinds[0]
            found[group.decode(), version.decode(), kind.decode()] = name
    return found
