"""Where an object of a body belongs: the path says it, and the object must not contradict it."""

from __future__ import annotations

from orchestrator.api._routing import Target
from orchestrator.resources.errors import bad_request
from orchestrator.resources.objects import Object, meta, name_of, with_meta


def place(obj: Object, target: Target) -> Object:
    """Put a posted object into the path's namespace.

    Raises:
        StatusError: 400, it names another one.
    """
    named = meta(obj).get("namespace") or ""
    if not target.kind.namespaced:
        if named:
            raise bad_request("namespace is not allowed on this type")
        return obj
    if not named:
        return with_meta(obj, namespace=target.scope)
    if named != target.scope:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return obj


def check_name(obj: Object, target: Target) -> None:
    """Refuse an update whose object has another name than the path, or none."""
    name = name_of(obj)
    if not name:
        raise bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be "
            "provided"
        )
    if name != target.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
        )
