"""What a write to the status of a pod may say.

Source: ValidatePodStatusUpdate in pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    immutable,
    invalid,
)
from orchestrator.resources.strategies._pod_updates import annotation_problems
from orchestrator.resources.strategies._sharing import Part

_OWN_CONDITIONS: Final = frozenset({"PodScheduled", "Ready", "Initialized"})


def pod_status_problems(new: Object, old: Object) -> list[FieldError]:
    """Return every complaint about a pod's new status."""
    status: Part = new.get("status") or {}
    before: Part = old.get("status") or {}
    found = annotation_problems(new, old)
    for index, condition in enumerate(status.get("conditions") or ()):
        kind = condition.get("type") or ""
        if kind not in _OWN_CONDITIONS:
            # Upstream's path, though the conditions are the status' own.
            here = f"metadata.conditions[{index}].Type"
            found += each_invalid(here, kind, names.qualified_name(kind))
    nominated = status.get("nominatedNodeName") or ""
    if nominated and nominated != before.get("nominatedNodeName"):
        found += each_invalid("status.nominatedNodeName", nominated, names.dns_subdomain(nominated))
    found += immutable("status.qosClass", status.get("qosClass"), before.get("qosClass"))
    spec: Part = old.get("spec") or {}
    if spec.get("restartPolicy") != "Always":
        found += _transitions(status, before, "containerStatuses", spec)
        found += _transitions(status, before, "initContainerStatuses", spec)
    if before.get("ephemeralContainerStatuses"):
        found += _transitions(status, before, "ephemeralContainerStatuses", {})
    if claims := status.get("resourceClaimStatuses"):
        found += _claims(claims, spec.get("resourceClaims") or ())
    if addresses := status.get("podIPs"):
        found += _addresses(addresses, "status.podIPs")
    if addresses := status.get("hostIPs"):
        first = addresses[0].get("ip") or ""
        if first != (status.get("hostIP") or ""):
            wrong = "must be equal to `hostIP`"
            found.append(invalid("status.hostIPs[0].ip", first, wrong))
        found += _addresses(addresses, "status.hostIPs")
    return found


def _transitions(status: Part, before: Part, field: str, spec: Part) -> list[FieldError]:
    """Complain where a container that may not run again does; ephemeral ones never may."""
    running = {
        one.get("name")
        for one in status.get(field) or ()
        if (one.get("state") or {}).get("terminated") is None
    }
    sidecars = {
        container.get("name")
        for container in spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    found: list[FieldError] = []
    for index, was in enumerate(before.get(field) or ()):
        ended = (was.get("state") or {}).get("terminated")
        if ended is None or was.get("name") not in running:
            continue
        if ended.get("exitCode") and spec.get("restartPolicy") == "OnFailure":
            continue
        if field == "initContainerStatuses" and was.get("name") in sidecars:
            continue
        if _has_own_policy(was.get("name"), spec):
            continue
        found.append(
            forbidden(
                f"status.{field}[{index}].state",
                "may not be transitioned to non-terminated state",
            )
        )
    return found


def _has_own_policy(name: Any, spec: Part) -> bool:
    return any(
        container.get("name") == name
        and (
            container.get("restartPolicy") not in {None, "Never"}
            or "restartPolicyRules" in container
        )
        for container in spec.get("containers") or ()
    )


def _claims(statuses: list[Part], claims: Any) -> list[FieldError]:
    known = {claim.get("name") for claim in claims}
    seen: set[str] = set()
    found: list[FieldError] = []
    for index, status in enumerate(statuses):
        here = f"status.resourceClaimStatuses[{index}].name"
        name = status.get("name") or ""
        if name not in known:
            wrong = "must match the name of an entry in `spec.resourceClaims`"
            found.append(invalid(here, name, wrong))
        if name in seen:
            found.append(duplicate(here, name))
        seen.add(name)
        if (claim := status.get("resourceClaimName")) is not None:
            found += each_invalid(here, claim, names.dns_subdomain(claim))
    return found


def _addresses(addresses: list[Part], at: str) -> list[FieldError]:
    found: list[FieldError] = []
    given = [address.get("ip") or "" for address in addresses]
    for index, ip in enumerate(given):
        found += each_invalid(f"{at}[{index}]", ip, names.ip_address(ip))
    if len(given) == 1 or found:
        return found
    if len(given) > 2 or (":" in given[0]) == (":" in given[1]):
        found.append(invalid(at, addresses, "may specify no more than one IP for each IP family"))
    for index, ip in enumerate(given):
        if ip in given[:index]:
            found.append(duplicate(f"{at}[{index}]", addresses[index]))
    return found
