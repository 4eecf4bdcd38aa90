"""What the downward API may select: fields of the pod, and resources of a container.

Source of rules and words: pkg/apis/core/validation and pkg/apis/core/pods of Kubernetes.
"""

from __future__ import annotations

import re
from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    each_invalid,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.quantities import QuantityError, canonical, parse
from orchestrator.resources.strategies._sharing import Part

ENVIRONMENT_FIELDS: Final = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS: Final = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
_KNOWN: Final = frozenset(
    {
        *ENVIRONMENT_FIELDS,
        *VOLUME_FIELDS,
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
        "spec.host",
    }
)
_SUBSCRIPTED: Final = re.compile(r"(.*)\['(.*)'\]", re.DOTALL)
_RESOURCES: Final = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_HUGE_PAGES: Final = ("limits.hugepages-", "requests.hugepages-")
_CPU_DIVISORS: Final = frozenset({"1m", "1"})
_BYTE_DIVISORS: Final = ("1", "1k", "1M", "1G", "1T", "1P", "1E", *map("1{}i".format, "KMGTPE"))
_BYTES: Final = {
    "memory": "memory",
    "ephemeral-storage": "local ephemeral storage",
}


def field_problems(reference: Part, allowed: tuple[str, ...], at: str) -> list[FieldError]:
    """Check a ``fieldRef`` against the fields that may be selected there."""
    if not reference.get("apiVersion"):
        return [required(f"{at}.apiVersion")]
    path = reference.get("fieldPath") or ""
    if not path:
        return [required(f"{at}.fieldPath")]
    match = _SUBSCRIPTED.fullmatch(path)
    base = match[1] if match else path
    if match is None and base in allowed:
        return []
    problem = _conversion_problem(reference["apiVersion"], path, base, bracketed=match is not None)
    if problem:
        return [invalid(f"{at}.fieldPath", path, f"error converting fieldPath: {problem}")]
    if match is None:
        shown = "spec.nodeName" if base == "spec.host" else base
        if shown in allowed:
            return []
        return [not_supported(f"{at}.fieldPath", shown, allowed)]
    key = match[2]
    if base == "metadata.annotations":
        key = key.lower()
    return each_invalid(at, key, names.qualified_name(key))


def _conversion_problem(version: str, path: str, base: str, *, bracketed: bool) -> str:
    if version != "v1":
        return f"unsupported pod version: {version}"
    if bracketed:
        if base in {"metadata.annotations", "metadata.labels"}:
            return ""
        return f"field label does not support subscript: {path}"
    return "" if path in _KNOWN else f"field label not supported: {path}"


def resource_field_problems(reference: Part, at: str, *, in_volume: bool) -> list[FieldError]:
    """Check a ``resourceFieldRef``; one in a volume has to name its container."""
    resource = reference.get("resource") or ""
    found: list[FieldError] = []
    if in_volume and not reference.get("containerName"):
        found.append(required(f"{at}.containerName"))
    elif not resource:
        found.append(required(f"{at}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(_HUGE_PAGES):
        found.append(not_supported(f"{at}.resource", resource, _RESOURCES))
    divisor = reference.get("divisor")
    if divisor is not None:
        found += _divisor_problems(resource, divisor, f"{at}.divisor")
    return found


def _divisor_problems(resource: str, divisor: str, at: str) -> list[FieldError]:
    try:
        if parse(divisor).nano == 0:
            return []
    except QuantityError:
        return []  # decoding refuses it
    text = canonical(divisor)
    what = resource.partition(".")[2]
    if what == "cpu":
        if text in _CPU_DIVISORS:
            return []
        return [
            invalid(
                at, resource, "only divisor's values 1m and 1 are supported with the cpu resource"
            )
        ]
    named = _BYTES.get(what) or ("hugepages" if resource.startswith(_HUGE_PAGES) else "")
    if not named or text in _BYTE_DIVISORS:
        return []
    listed = ", ".join(_BYTE_DIVISORS)
    return [
        invalid(
            at, resource, f"only divisor's values {listed} are supported with the {named} resource"
        )
    ]
