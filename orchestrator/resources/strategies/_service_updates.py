"""What an update of a Service may change, and what its status may say.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    if_given,
    invalid,
    required,
)
from orchestrator.resources.strategies._formats import address_of
from orchestrator.resources.strategies._service_validation import is_headless
from orchestrator.resources.strategies._sharing import Part

_UNCHANGED: Final = "may not change once set"


def service_update_problems(new: Object, old: Object) -> list[FieldError]:
    """Return every complaint about the change of a Service."""
    after: Part = new.get("spec") or {}
    before: Part = old.get("spec") or {}
    found: list[FieldError] = []
    if "ExternalName" not in {after.get("type"), before.get("type")}:
        found += _changed_addresses(after, before)
        if not is_headless(after) and not is_headless(before):
            found += _changed_families(after, before)
    if after.get("type") == before.get("type") == "LoadBalancer":
        given = after.get("loadBalancerClass")
        if given != before.get("loadBalancerClass"):
            found.append(invalid("spec.loadBalancerClass", given, _UNCHANGED))
        check, held = after.get("healthCheckNodePort"), before.get("healthCheckNodePort")
        local = after.get("externalTrafficPolicy") == before.get("externalTrafficPolicy") == "Local"
        if local and held and check != held:
            found.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return found


def _changed_addresses(after: Part, before: Part) -> list[FieldError]:
    if is_headless(after) and is_headless(before):
        return []
    new, old = after.get("clusterIPs") or [], before.get("clusterIPs") or []
    if len(new) == len(old):
        return [
            invalid(f"spec.clusterIPs[{index}]", new, _UNCHANGED)
            for index, (address, held) in enumerate(zip(new, old, strict=True))
            if address != held
        ]
    found: list[FieldError] = []
    if not new:
        found.append(invalid("spec.clusterIPs[0]", new, "primary clusterIP can not be unset"))
    elif old and new[0] != old[0]:
        found.append(invalid("spec.clusterIPs[0]", new, _UNCHANGED))
    if len(old) > len(new) == 1 and after.get("ipFamilyPolicy") != "SingleStack":
        wrong = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        found.append(invalid("spec.ipFamilyPolicy", after.get("ipFamilyPolicy"), wrong))
    return found


def _changed_families(after: Part, before: Part) -> list[FieldError]:
    new, old = after.get("ipFamilies") or [], before.get("ipFamilies") or []
    if len(new) == len(old):
        return [
            invalid("spec.ipFamilies[0]", new, _UNCHANGED)
            for family, held in zip(new, old, strict=True)
            if family != held
        ]
    found: list[FieldError] = []
    if len(old) > len(new) and not after.get("clusterIPs"):
        found.append(invalid("spec.ipFamilies[0]", new, "primary ipFamily can not be unset"))
    if new and old and new[0] != old[0]:
        found.append(invalid("spec.ipFamilies[0]", after.get("clusterIPs"), _UNCHANGED))
    if len(old) > len(new) == 1 and after.get("ipFamilyPolicy") != "SingleStack":
        wrong = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        found.append(invalid("spec.ipFamilyPolicy", after.get("ipFamilyPolicy"), wrong))
    return found


def service_status_problems(new: Object, _old: Object) -> list[FieldError]:
    """Return every complaint about a Service's new status."""
    spec: Part = new.get("spec") or {}
    ingress = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    at = "status.loadBalancer.ingress"
    if ingress and spec.get("type") != "LoadBalancer":
        return [forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")]
    found: list[FieldError] = []
    for index, one in enumerate(ingress):
        found += _ingress(one, f"{at}[{index}]")
    return found


def _ingress(ingress: Part, at: str) -> list[FieldError]:
    address, mode = ingress.get("ip") or "", ingress.get("ipMode")
    found = each_invalid(f"{at}.ip", address, names.ip_address(address)) if address else []
    if mode is None:
        if address:
            found.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
    elif not address:
        found.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
    else:
        found += if_given(f"{at}.ipMode", mode, ("Proxy", "VIP"))
    if host := ingress.get("hostname") or "":
        found += each_invalid(f"{at}.hostname", host, names.dns_subdomain(host))
        if address_of(host) is not None:
            wrong = "must be a DNS name, not an IP address"
            found.append(invalid(f"{at}.hostname", host, wrong))
    return found
