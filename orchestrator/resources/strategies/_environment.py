"""Validation of a container's environment.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import each_invalid, invalid, required
from orchestrator.resources.strategies._paths import local_path
from orchestrator.resources.strategies._selections import (
    ENVIRONMENT_FIELDS,
    field_problems,
    resource_field_problems,
)
from orchestrator.resources.strategies._sharing import Part

_SOURCES: Final = (
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
)
_SEVERAL: Final = "may not have more than one field specified at a time"


def variable_problems(variables: Any, at: str, volumes: dict[str, Part]) -> list[FieldError]:
    """Check ``env``; files with variables have to lie in empty directories of the pod."""
    found: list[FieldError] = []
    for index, variable in enumerate(variables):
        name = variable.get("name") or ""
        if not name:
            found.append(required(f"{at}[{index}].name"))
        else:
            found += each_invalid(f"{at}[{index}].name", name, names.env_name(name))
        if (source := variable.get("valueFrom")) is not None:
            value = variable.get("value") or ""
            found += _value_from(source, value, f"{at}[{index}].valueFrom", volumes)
    return found


def _value_from(source: Part, value: str, at: str, volumes: dict[str, Part]) -> list[FieldError]:
    found: list[FieldError] = []
    if (reference := source.get("fieldRef")) is not None:
        found += field_problems(reference, ENVIRONMENT_FIELDS, f"{at}.fieldRef")
    if (reference := source.get("resourceFieldRef")) is not None:
        found += resource_field_problems(reference, f"{at}.resourceFieldRef", in_volume=False)
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if (reference := source.get(kind)) is not None:
            found += _key(reference, f"{at}.{kind}")
    if (reference := source.get("fileKeyRef")) is not None:
        found += _file(reference, f"{at}.fileKeyRef", volumes)
    given = sum(source.get(kind) is not None for kind in _SOURCES)
    if not given:
        found.append(
            invalid(
                at,
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                "`secretKeyRef` or `fileKeyRef`",
            )
        )
    elif value:
        found.append(invalid(at, "", "may not be specified when `value` is not empty"))
    elif given > 1:
        found.append(invalid(at, "", _SEVERAL))
    return found


def _key(reference: Part, at: str) -> list[FieldError]:
    name, key = reference.get("name") or "", reference.get("key") or ""
    found = each_invalid(f"{at}.name", name, names.dns_subdomain(name))
    if not key:
        found.append(required(f"{at}.key"))
    else:
        found += each_invalid(f"{at}.key", key, names.config_key(key))
    return found


def _file(reference: Part, at: str, volumes: dict[str, Part]) -> list[FieldError]:
    found: list[FieldError] = []
    key, path = reference.get("key") or "", reference.get("path") or ""
    if not key:
        found.append(required(f"{at}.key"))
    else:
        found += each_invalid(f"{at}.key", key, names.env_name(key))
    volume = reference.get("volumeName") or ""
    if not volume:
        found.append(required(f"{at}.volumeName"))
    elif (volumes.get(volume) or {}).get("emptyDir") is None:
        found.append(
            invalid(f"{at}.volumeName", volume, "must refer to an emptyDir volume of the pod")
        )
    if not path:
        return [*found, required(f"{at}.path")]
    return found + local_path(f"{at}.path", path)


def environment_source_problems(sources: Any, at: str) -> list[FieldError]:
    """Check ``envFrom``; upstream names no item where it misses or forbids a source."""
    found: list[FieldError] = []
    for index, source in enumerate(sources):
        here = f"{at}[{index}]"
        if prefix := source.get("prefix"):
            found += each_invalid(f"{here}.prefix", prefix, names.env_name(prefix))
        given = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
        for kind in given:
            name = source[kind].get("name") or ""
            if not name:
                found.append(required(f"{here}.{kind}.name"))
            else:
                found += each_invalid(f"{here}.{kind}.name", name, names.prefix_of_subdomain(name))
        if not given:
            found.append(invalid(at, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            found.append(invalid(at, "", _SEVERAL))
    return found
