"""DeviceClasses: devices that claims can ask for by one name.

Source: pkg/apis/resource/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import invalid
from orchestrator.resources.strategies._devices import (
    MOST,
    configuration_problems,
    limited,
    selector_problems,
)
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._resources import is_extended
from orchestrator.resources.strategies._strategy import Strategy, build


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of DeviceClasses."""
    return build(
        has_status=False,
        generation=True,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _spec),
        update_checks=(metadata_update_check(),),
    )


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    found = limited(spec.get("selectors"), MOST, "spec.selectors", selector_problems)
    found += limited(spec.get("config"), MOST, "spec.config", configuration_problems)
    resource = spec.get("extendedResourceName")
    if resource is not None and not is_extended(resource):
        why = "must be a valid extended resource name"
        found.append(invalid("spec.extendedResourceName", resource, why))
    return found
