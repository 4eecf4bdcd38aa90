"""Validation of volumes that hold small files: secrets, config maps, the downward API, projections.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    invalid,
    required,
    too_long,
)
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._paths import local_path, mode_problems
from orchestrator.resources.strategies._selections import (
    VOLUME_FIELDS,
    field_problems,
    resource_field_problems,
)
from orchestrator.resources.strategies._sharing import Part

_SOURCES: Final = (
    "secret",
    "configMap",
    "downwardAPI",
    "serviceAccountToken",
    "clusterTrustBundle",
)
_SHORTEST_TOKEN: Final = 600
_LONGEST_TOKEN: Final = 2**32
_TWICE: Final = "conflicting duplicate paths"


def secret_problems(source: Part, at: str) -> list[FieldError]:
    """Check a volume out of a Secret."""
    return _keyed(source, "secretName", at)


def config_map_problems(source: Part, at: str) -> list[FieldError]:
    """Check a volume out of a ConfigMap."""
    return _keyed(source, "name", at)


def _keyed(source: Part, name: str, at: str) -> list[FieldError]:
    found = [] if source.get(name) else [required(f"{at}.{name}")]
    found += mode_problems(f"{at}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        found += _key_to_path(item, f"{at}.items[{index}]")
    return found


def _key_to_path(item: Part, at: str) -> list[FieldError]:
    path = item.get("path") or ""
    found = [required(f"{at}.{field}") for field in ("key", "path") if not item.get(field)]
    found += local_path(f"{at}.path", path)
    return found + mode_problems(f"{at}.mode", item.get("mode"))


def downward_problems(source: Part, at: str) -> list[FieldError]:
    """Check a volume of the downward API; upstream names no item in these complaints."""
    found = mode_problems(f"{at}.defaultMode", source.get("defaultMode"))
    for item in source.get("items") or ():
        found += _downward_file(item, at)
    return found


def _downward_file(item: Part, at: str) -> list[FieldError]:
    path = item.get("path") or ""
    found = [] if path else [required(f"{at}.path")]
    found += local_path(f"{at}.path", path)
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        found += field_problems(field, VOLUME_FIELDS, f"{at}.fieldRef")
        if resource is not None:
            found.append(
                invalid(
                    at,
                    "resource",
                    "fieldRef and resourceFieldRef can not be specified simultaneously",
                )
            )
    elif resource is not None:
        found += resource_field_problems(resource, f"{at}.resourceFieldRef", in_volume=True)
    else:
        found.append(required(at, "one of fieldRef and resourceFieldRef is required"))
    return found + mode_problems(f"{at}.mode", item.get("mode"))


def projected_problems(source: Part, at: str) -> list[FieldError]:
    """Check a volume that is put together from several sources."""
    found = mode_problems(f"{at}.defaultMode", source.get("defaultMode"))
    paths: set[str] = set()
    for index, part in enumerate(source.get("sources") or ()):
        here = f"{at}.sources[{index}]"
        for field in ("secret", "configMap"):
            if (given := part.get(field)) is not None:
                found += _projected_keys(given, f"{here}.{field}", at, paths)
        if (given := part.get("downwardAPI")) is not None:
            for item in given.get("items") or ():
                found += _downward_file(item, f"{here}.downwardAPI")
                found += _once(item.get("path") or "", item.get("path"), at, paths)
        if (given := part.get("serviceAccountToken")) is not None:
            found += _token(given, f"{here}.serviceAccountToken", at)
        if (given := part.get("clusterTrustBundle")) is not None:
            found += _trust_bundle(given, f"{here}.clusterTrustBundle")
            found += _once(given.get("path") or "", given.get("path") or "", at, paths)
        if sum(part.get(field) is not None for field in _SOURCES) > 1:
            found.append(forbidden(here, "may not specify more than 1 volume type per source"))
    return found


def _projected_keys(source: Part, at: str, volume: str, paths: set[str]) -> list[FieldError]:
    name = source.get("name") or ""
    found = [] if name else [required(f"{at}.name")]
    for index, item in enumerate(source.get("items") or ()):
        found += _key_to_path(item, f"{at}.items[{index}]")
        found += _once(item.get("path") or "", name, volume, paths)
    return found


def _once(path: str, shown: object, at: str, paths: set[str]) -> list[FieldError]:
    """Note a path; complain when it was taken."""
    if not path:
        return []
    if path in paths:
        return [invalid(at, shown, _TWICE)]
    paths.add(path)
    return []


def _token(token: Part, at: str, volume: str) -> list[FieldError]:
    found: list[FieldError] = []
    seconds = token.get("expirationSeconds") or 0
    if seconds < _SHORTEST_TOKEN:
        found.append(
            invalid(
                f"{at}.expirationSeconds",
                seconds,
                "may not specify a duration less than 10 minutes",
            )
        )
    if seconds > _LONGEST_TOKEN:
        found.append(
            invalid(
                f"{at}.expirationSeconds",
                seconds,
                "may not specify a duration larger than 2^32 seconds",
            )
        )
    path = token.get("path") or ""
    if not path:
        found.append(required(f"{volume}.path"))
    return found + local_path(f"{volume}.path", path)


def _trust_bundle(bundle: Part, at: str) -> list[FieldError]:
    name, signer = bundle.get("name"), bundle.get("signerName")
    found: list[FieldError] = []
    if name is not None and signer is not None:
        found.append(invalid(at, bundle, "only one of name and signerName may be used"))
    elif name is not None:
        if not name:
            found.append(required(f"{at}.name", "must be a valid object name"))
        found += [
            invalid(f"{at}.name", name, f"not a valid clustertrustbundlename: {problem}")
            for problem in names.dns_subdomain(name.rpartition(":")[2])
        ]
        if (selector := bundle.get("labelSelector")) is not None:
            found.append(
                invalid(
                    f"{at}.labelSelector",
                    selector,
                    "labelSelector must be unset if name is specified",
                )
            )
    elif signer is not None:
        if not signer:
            found.append(required(f"{at}.signerName", "must be a valid signer name"))
        elif (selector := bundle.get("labelSelector")) is not None:
            found += label_selector_problems(f"{at}.labelSelector", selector)
    else:
        found.append(required(at, "either name or signerName must be specified"))
    path = bundle.get("path") or ""
    if not path:
        found.append(required(f"{at}.path"))
    return found + local_path(f"{at}.path", path)


def csi_problems(source: Part, at: str) -> list[FieldError]:
    """Check an inline volume of a CSI driver."""
    found = driver_name_problems(f"{at}.driver", source.get("driver") or "")
    reference = source.get("nodePublishSecretRef")
    if reference is not None:
        name = reference.get("name") or ""
        if not name:
            found.append(required(f"{at}.nodePublishSecretRef.name"))
        else:
            found += each_invalid(f"{at}.name", name, names.dns_subdomain(name))
    return found


def driver_name_problems(field: str, name: str) -> list[FieldError]:
    """Check the name of a CSI driver."""
    found = [] if name else [required(field)]
    if len(name) > 63:
        found.append(too_long(field, 63))
    return found + each_invalid(field, name, names.dns_subdomain(name.lower()))
