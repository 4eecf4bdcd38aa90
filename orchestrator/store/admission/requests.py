"""A request as an ``AdmissionRequest``, which webhooks and policies see. Pure."""

from __future__ import annotations

from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.users import User
from orchestrator.store.admission.hooks import Attributes


def admission_request(attributes: Attributes, seen: Kind) -> Object:
    """Describe a request, without a uid.

    Args:
        attributes: The request, its objects in the version of ``seen``.
        seen: The version that is looked at; ``attributes.kind`` is the request's.
    """
    asked = attributes.kind
    request: Object = {
        "kind": _kind(seen, attributes),
        "resource": _resource(seen),
        "requestKind": _kind(asked, attributes),
        "requestResource": _resource(asked),
        "operation": attributes.operation,
        "userInfo": user_info(attributes.caller.user),
        "object": attributes.object,
        "oldObject": attributes.old,
        "dryRun": attributes.dry_run,
        "options": dict(attributes.caller.options) or None,
    }
    if attributes.subresource:
        request["subResource"] = request["requestSubResource"] = attributes.subresource
    if attributes.namespace:
        request["namespace"] = attributes.namespace
    if attributes.name:
        request["name"] = attributes.name
    return request


def user_info(user: User) -> Object:
    """Return a user as ``authentication.k8s.io/v1`` ``UserInfo``."""
    info: Object = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {name: list(values) for name, values in user.extra.items()}
    return info


def _kind(kind: Kind, attributes: Attributes) -> Object:
    obj = attributes.object or attributes.old or {}
    # The object of a subresource may be of another kind than the path's.
    if attributes.subresource and obj.get("kind") and obj["kind"] != kind.kind:
        group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
        return {"group": group, "version": version, "kind": obj["kind"]}
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _resource(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}
