"""Owner references that say the same twice: once is kept, and the client is told.

Source of the rule and the words: k8s.io/apiserver/pkg/endpoints/handlers (rest.go, create.go).
"""

from __future__ import annotations

from typing import Final

from orchestrator.api._requests import Request
from orchestrator.resources.objects import Object, meta, with_meta

_WARNING: Final = (
    ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner "
    "references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; "
    "duplicate UID(s) observed: {uids}"
)
_PATCHED: Final = " after mutating admission happens"


def with_owners_once(request: Request, obj: Object, *, patched: bool = False) -> Object:
    """Return an object that names each owner once, and warn where one came twice.

    Args:
        request: Its answer gets the warning.
        obj: A decoded object.
        patched: It came out of a patch, of which upstream tells with other words.
    """
    references = meta(obj).get("ownerReferences")
    if not references or len(references) < 2:
        return obj
    kept: dict[str, Object] = {}
    twice = []
    for reference in references:
        # By its text: comparing each with all others takes minutes for a body full of them.
        text = repr(sorted(reference.items()))
        if text in kept:
            twice.append(str(reference.get("uid", "")))
        else:
            kept[text] = reference
    if not twice:
        return obj
    text = _WARNING.format(when=_PATCHED if patched else "", uids=", ".join(twice))
    if text not in request.warnings:  # a patch may be applied again
        request.warnings.append(text)
    return with_meta(obj, ownerReferences=list(kept.values()))
