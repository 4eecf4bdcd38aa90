"""JSON merge patch, RFC 7386."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.errors import bad_request
from orchestrator.resources.objects import Object
from orchestrator.resources.patches.errors import shallow


@shallow
def apply_merge_patch(obj: Object, patch: Any) -> Object:
    """Return ``obj`` with ``patch`` merged in; null removes, lists and scalars replace.

    Parts that the patch does not touch are shared with ``obj``.

    Raises:
        StatusError: 400 when the body is not an object.
    """
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: a merge patch must be an object")
    return _merge(obj, patch)


def _merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = _merge(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = value
    return result
