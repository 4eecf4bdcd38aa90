"""RuntimeClasses: handlers, and what pods of a class get for it.

Source: pkg/apis/node/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import duplicate, each_invalid, immutable
from orchestrator.resources.strategies._metadata import (
    label_problems,
    metadata_check,
    metadata_update_check,
)
from orchestrator.resources.strategies._placement import toleration_problems
from orchestrator.resources.strategies._resources import resource_problems
from orchestrator.resources.strategies._strategy import Strategy, build


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of RuntimeClasses."""
    return build(
        has_status=False,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _class),
        update_checks=(
            metadata_update_check(),
            lambda new, old: immutable("handler", new.get("handler"), old.get("handler")),
        ),
        rechecks=False,
    )


def _class(obj: Object) -> list[FieldError]:
    handler = obj.get("handler") or ""
    found = each_invalid("handler", handler, names.dns_label(handler))
    overhead = (obj.get("overhead") or {}).get("podFixed")
    if overhead:
        found += resource_problems({"limits": overhead}, "overhead")
    scheduling = obj.get("scheduling") or {}
    found += label_problems("scheduling.nodeSelector", scheduling.get("nodeSelector"))
    tolerations = scheduling.get("tolerations") or []
    for index, toleration in enumerate(tolerations):
        at = f"scheduling.tolerations[{index}]"
        found += toleration_problems(toleration, at)
        if toleration in tolerations[:index]:
            found.append(duplicate(at, toleration))
    return found
