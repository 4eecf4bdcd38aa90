"""IngressClasses: which controller serves an Ingress, and where its parameters are.

Source: pkg/apis/networking/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    immutable,
    not_supported,
    required,
    too_long,
)
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._formats import domain_prefixed_path
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build, combined_update
from orchestrator.resources.strategies.ingresses import named_problems

_CONTROLLER_LIMIT: Final = 250
_SCOPES: Final = ("Cluster", "Namespace")


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of IngressClasses."""
    return build(
        has_status=False,
        generation=True,
        default=in_spec(_default),
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _spec),
        update_checks=(combined_update(metadata_update_check(), _controller),),
    )


def _default(spec: Part) -> Part:
    return changed(spec, "parameters", lambda parameters: filled(parameters, scope="Cluster"))


def _controller(new: Object, old: Object) -> list[FieldError]:
    after, before = spec_of(new).get("controller"), spec_of(old).get("controller")
    return immutable("spec.controller", after or "", before or "")


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    controller = spec.get("controller") or ""
    found: list[FieldError] = []
    if len(controller) > _CONTROLLER_LIMIT:
        found.append(too_long("spec.controller", _CONTROLLER_LIMIT))
    found += domain_prefixed_path("spec.controller", controller)
    parameters = spec.get("parameters")
    return found + (_parameters(parameters, "spec.parameters") if parameters else [])


def _parameters(parameters: Part, at: str) -> list[FieldError]:
    group = parameters.get("apiGroup")
    found: list[FieldError] = []
    if group is not None:
        found += each_invalid(f"{at}.apiGroup", group, names.dns_subdomain(group))
    found += named_problems(parameters, at, "kind", "name")
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        return [*found, required(f"{at}.scope")]
    if scope not in _SCOPES:
        found.append(not_supported(f"{at}.scope", scope, _SCOPES))
    elif scope == "Namespace":
        if namespace is None:
            why = "`parameters.scope` is set to 'Namespace'"
            found.append(required(f"{at}.namespace", why))
        else:
            found += each_invalid(f"{at}.namespace", namespace, names.dns_label(namespace))
    elif namespace is not None:
        found.append(forbidden(f"{at}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return found
