"""The scale subresource: replicas of a workload as an autoscaling/v1 ``Scale``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from orchestrator.resources.errors import FieldError, bad_request, invalid
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, meta, spec_of, status_of
from orchestrator.resources.selectors import label_selector, set_selector

_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class Scaling(NamedTuple):
    """How the objects of a kind are scaled.

    Attributes:
        read: Returns the Scale of an object.
        write: Returns the object with the replicas of a Scale.
    """

    read: Callable[[Object], Object]
    write: Callable[[Object, Object], Object]


def scaling_of(kind: Kind) -> Scaling:
    """Return how objects of a kind are scaled."""
    paths = None if kind.custom is None else kind.custom.scale
    if paths is None:
        return Scaling(scale_of, scaled)
    return Scaling(paths.scale_of, paths.scaled)


def scale_of(obj: Object) -> Object:
    """Return the scale of a workload."""
    metadata = meta(obj)
    selector = spec_of(obj).get("selector")
    status: dict[str, Any] = {"replicas": status_of(obj).get("replicas", 0)}
    if selector is not None:
        text = selector_text(selector, plain=obj.get("kind") == "ReplicationController")
        if text:
            status["selector"] = text
    replicas = spec_of(obj).get("replicas", 0 if obj.get("kind") != "ReplicationController" else 1)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: metadata[field] for field in _METADATA if field in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def selector_text(selector: Mapping[str, Any], *, plain: bool = False) -> str:
    """Write a selector as upstream does: labels that must be equal as ``app=web``."""
    labels = selector if plain else selector.get("matchLabels")
    texts = [str(set_selector(labels))] if labels else []
    if not plain and selector.get("matchExpressions"):
        texts.append(str(label_selector({"matchExpressions": selector["matchExpressions"]})))
    return ",".join(texts)


def scaled(obj: Object, scale: Object) -> Object:
    """Return the workload with the replicas of ``scale``.

    Raises:
        StatusError: 400 for what is not a number, 422 for a negative one.
    """
    replicas = spec_of(scale).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            "into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        cause = FieldError(
            "FieldValueInvalid",
            "spec.replicas",
            f"Invalid value: {replicas}: must be greater than or equal to 0",
        )
        raise invalid("Scale", "autoscaling", meta(obj).get("name", ""), [cause])
    if spec_of(obj).get("replicas") == replicas:
        return obj
    return {**obj, "spec": {**spec_of(obj), "replicas": replicas}}
