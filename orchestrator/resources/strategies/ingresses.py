"""Ingresses: hosts, paths and the backends behind them.

Source: pkg/apis/networking/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, annotations_of, spec_of, status_of
from orchestrator.resources.problems import (
    each_invalid,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.strategies._formats import address_of, wildcard_subdomain
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import Strategy, build

_CLASS: Final = "kubernetes.io/ingress.class"
_PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_NO_SEQUENCE: Final = ("//", "/./", "/../", "%2f", "%2F")
_NO_SUFFIX: Final = ("/..", "/.")
_NO_ADDRESS: Final = "must be a DNS name, not an IP address"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Ingresses."""
    metadata_update = metadata_update_check()
    return build(
        has_status=True,
        first_status={"loadBalancer": {}},
        generation=True,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        creation_checks=(_same_class,),
        update_checks=(metadata_update,),
        status_checks=(metadata_update, _status),
    )


def _same_class(obj: Object) -> list[FieldError]:
    annotated = annotations_of(obj).get(_CLASS)
    named = spec_of(obj).get("ingressClassName")
    if annotated is None or named is None or annotated == named:
        return []
    why = "must match `ingressClassName` when both are specified"
    return [invalid(f"annotations.{_CLASS}", annotated, why)]


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    rules = spec.get("rules")
    backend = spec.get("defaultBackend")
    found: list[FieldError] = []
    if not rules and backend is None:
        why = "either `defaultBackend` or `rules` must be specified"
        found.append(invalid("spec", rules, why))
    if backend is not None:
        found += backend_problems(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules or ()):
        found += _rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        found += _tls(tls, f"spec.tls[{index}]")
    named = spec.get("ingressClassName")
    if named is not None:
        found += each_invalid("spec.ingressClassName", named, names.dns_subdomain(named))
    return found


def _host(host: str) -> list[str]:
    return wildcard_subdomain(host) if "*" in host else names.dns_subdomain(host)


def _rule(rule: Part, at: str) -> list[FieldError]:
    host = rule.get("host") or ""
    found: list[FieldError] = []
    if host:
        if address_of(host) is not None:
            found.append(invalid(f"{at}.host", host, _NO_ADDRESS))
        found += each_invalid(f"{at}.host", host, _host(host))
    http = rule.get("http")
    if http is None:
        return found
    paths = http.get("paths")
    if not paths:
        found.append(required(f"{at}.http.paths"))
    for index, path in enumerate(paths or ()):
        found += _path(path, f"{at}.http.paths[{index}]")
    return found


def _path(path: Part, at: str) -> list[FieldError]:
    type_ = path.get("pathType")
    text = path.get("path") or ""
    if type_ is None:
        return [required(f"{at}.pathType", "pathType must be specified")]
    found: list[FieldError] = []
    absolute = text.startswith("/")
    if type_ in {"Exact", "Prefix"}:
        if not absolute:
            found.append(invalid(f"{at}.path", text, "must be an absolute path"))
        found += [
            invalid(f"{at}.path", text, f"must not contain '{part}'")
            for part in _NO_SEQUENCE
            if part in text
        ]
        found += [
            invalid(f"{at}.path", text, f"cannot end with '{part}'")
            for part in _NO_SUFFIX
            if text.endswith(part)
        ]
    elif type_ == "ImplementationSpecific":
        if text and not absolute:
            found.append(invalid(f"{at}.path", text, "must be an absolute path"))
    else:
        found.append(not_supported(f"{at}.pathType", type_, _PATH_TYPES))
    return found + backend_problems(path.get("backend") or {}, f"{at}.backend")


def backend_problems(backend: Part, at: str) -> list[FieldError]:
    """Check what answers: a Service's port, or another object."""
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(at, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference(resource, f"{at}.resource")
    if service is None:
        return [invalid(at, "", "resource or service backend is required")]
    name = service.get("name") or ""
    field = f"{at}.service.name"
    found = each_invalid(field, name, names.dns_label_1035(name)) if name else [required(field)]
    port: dict[str, Any] = service.get("port") or {}
    named, number = port.get("name") or "", port.get("number") or 0
    if named and number:
        found.append(invalid(at, "", "cannot set both port name & port number"))
    elif named:
        found += each_invalid(f"{at}.service.port.name", named, names.port_name(named))
    elif number:
        found += each_invalid(f"{at}.service.port.number", number, names.port_number(number))
    else:
        found.append(required(at, "port name or number is required"))
    return found


def _reference(reference: Part, at: str) -> list[FieldError]:
    group = reference.get("apiGroup")
    found: list[FieldError] = []
    if group is not None:
        found += each_invalid(f"{at}.apiGroup", group, names.dns_subdomain(group))
    return found + named_problems(reference, at, "kind", "name")


def named_problems(reference: Part, at: str, *fields: str) -> list[FieldError]:
    """Check fields of a reference that must be there and fit into a path."""
    found: list[FieldError] = []
    for field in fields:
        value = reference.get(field) or ""
        if not value:
            found.append(required(f"{at}.{field}"))
        found += each_invalid(f"{at}.{field}", value, names.path_segment(value))
    return found


def _tls(tls: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    for index, host in enumerate(tls.get("hosts") or ()):
        found += each_invalid(f"{at}.hosts[{index}]", host, _host(host))
    secret = tls.get("secretName") or ""
    if secret:
        found += each_invalid(f"{at}.secretName", secret, names.dns_subdomain(secret))
    return found


def _status(new: Object, _old: Object) -> list[FieldError]:
    found: list[FieldError] = []
    points = (status_of(new).get("loadBalancer") or {}).get("ingress") or ()
    for index, point in enumerate(points):
        at = f"status.loadBalancer.ingress[{index}]"
        address, host = point.get("ip") or "", point.get("hostname") or ""
        if address and address_of(address) is None:
            found.append(invalid(f"{at}.ip", address, names.IP_WRONG))
        if host:
            found += each_invalid(f"{at}.hostname", host, names.dns_subdomain(host))
            if address_of(host) is not None:
                found.append(invalid(f"{at}.hostname", host, _NO_ADDRESS))
    return found
