"""IPAddresses: an address that is taken, named by itself, and who has it.

Source: pkg/apis/networking/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import each_invalid, immutable, required
from orchestrator.resources.strategies._formats import strict_address
from orchestrator.resources.strategies._internal import internal
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies.ingresses import named_problems

_PARENT = "spec.parentRef"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of IPAddresses."""
    return build(
        has_status=False,
        create_checks=(metadata_check(strict_address, namespaced=False), _parent),
        update_checks=(metadata_update_check(), _same_parent),
        rechecks=False,
    )


def _parent(obj: Object) -> list[FieldError]:
    parent = spec_of(obj).get("parentRef")
    if parent is None:
        return [required(_PARENT)]
    group, namespace = parent.get("group") or "", parent.get("namespace") or ""
    found = each_invalid(f"{_PARENT}.group", group, names.dns_subdomain(group)) if group else []
    found += named_problems(parent, _PARENT, "resource", "name")
    return found + each_invalid(f"{_PARENT}.namespace", namespace, names.path_segment(namespace))


def _same_parent(new: Object, old: Object) -> list[FieldError]:
    return immutable(_PARENT, _shown(spec_of(new)), _shown(spec_of(old)))


def _shown(spec: Part) -> Part | None:
    return internal(
        spec.get("parentRef"),
        Group="group",
        Resource="resource",
        Namespace="namespace",
        Name="name",
    )
