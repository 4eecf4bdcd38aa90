"""Validation of pod specs, in pods and in templates, and of pods and templates as a whole.

Complaints come in upstream's order. What a spec does not have costs one look-up.
Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    MAX_INT32,
    duplicate,
    each_invalid,
    forbidden,
    in_range,
    invalid,
    one_listed,
    required,
)
from orchestrator.resources.strategies._affinity import affinity_problems
from orchestrator.resources.strategies._containers import (
    Surroundings,
    containers_problems,
    ephemeral_containers_problems,
    image_space_problems,
    init_containers_problems,
)
from orchestrator.resources.strategies._metadata import annotation_problems, label_problems
from orchestrator.resources.strategies._name_service import dns_problems, host_name_problems
from orchestrator.resources.strategies._placement import (
    gate_problems,
    spread_problems,
    toleration_problems,
)
from orchestrator.resources.strategies._pod_annotations import (
    pod_annotation_problems,
    profile_match_problems,
)
from orchestrator.resources.strategies._resources import pod_resource_problems, resource_problems
from orchestrator.resources.strategies._security import pod_security_problems
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._volumes import volume_problems
from orchestrator.resources.strategies._windows import host_process_problems, system_problems

_RESTARTS: Final = ("Always", "OnFailure", "Never")
_DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTIONS: Final = ("PreemptLowerPriority", "Never")
_NAMES: Final[tuple[tuple[str, Callable[[str], list[str]]], ...]] = (
    ("serviceAccountName", names.dns_subdomain),
    ("nodeName", names.dns_subdomain),
)


def pod_problems(pod: Object) -> list[FieldError]:
    """Return every complaint about a pod but those about its metadata."""
    spec: Part = pod.get("spec") or {}
    metadata: Part = pod.get("metadata") or {}
    found: list[FieldError] = []
    if annotations := metadata.get("annotations"):
        found += pod_annotation_problems(annotations, spec, "metadata.annotations")
    found += pod_spec_problems(spec, "spec", pod=metadata.get("name") or "", lone=True)
    if not spec.get("serviceAccountName") and spec.get("volumes"):
        found += _tokens_of_no_account(spec["volumes"])
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            found += image_space_problems(container, f"spec.{field}[{index}]")
    return found


def new_pod_problems(pod: Object) -> list[FieldError]:
    """Return what more is asked of a pod that is being created."""
    spec: Part = pod.get("spec") or {}
    found: list[FieldError] = []
    if spec.get("ephemeralContainers"):
        found.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        found.append(
            forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")
        )
    if annotations := (pod.get("metadata") or {}).get("annotations"):
        found += profile_match_problems(annotations, spec, "spec")
    return found


def template_problems(template: Part, at: str) -> list[FieldError]:
    """Check a pod template by itself; upstream's paths leave out ``metadata``."""
    metadata: dict[str, Any] = template.get("metadata") or {}
    spec: Part = template.get("spec") or {}
    found = label_problems(f"{at}.labels", metadata.get("labels"))
    annotations = metadata.get("annotations")
    if annotations:
        found += annotation_problems(f"{at}.annotations", annotations)
        found += pod_annotation_problems(annotations, spec, f"{at}.annotations")
    found += pod_spec_problems(spec, f"{at}.spec")
    if annotations:
        found += profile_match_problems(annotations, spec, f"{at}.spec")
    if spec.get("ephemeralContainers"):
        found.append(
            forbidden(
                f"{at}.spec.ephemeralContainers",
                "ephemeral containers not allowed in pod template",
            )
        )
    return found


def _tokens_of_no_account(volumes: list[Part]) -> list[FieldError]:
    return [
        forbidden(
            f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken",
            "must not be specified when serviceAccountName is not set",
        )
        for index, volume in enumerate(volumes)
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ())
        if source.get("serviceAccountToken") is not None
    ]


def pod_spec_problems(
    spec: Part, at: str, *, pod: str = "", lone: bool = False
) -> list[FieldError]:
    """Return every complaint about a defaulted pod spec.

    Args:
        spec: It.
        at: Its path.
        pod: The pod's name, where it has one.
        lone: It is a pod's spec, not a template's.
    """
    found: list[FieldError] = []
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is None:
        found.append(required(f"{at}.terminationGracePeriodSeconds"))
    volumes: dict[str, Part] = {}
    if given := spec.get("volumes"):
        volumes = volume_problems(given, pod, f"{at}.volumes", found)
    claims: frozenset[str] = frozenset()
    if given := spec.get("resourceClaims"):
        claims = frozenset(claim["name"] for claim in given if claim.get("name"))
        found += _resource_claims(given, f"{at}.resourceClaims")
    around = Surroundings(
        volumes=volumes,
        claims=claims,
        grace=grace,
        restart_policy=spec.get("restartPolicy") or "",
        host_users=spec.get("hostUsers") is not False,
    )
    found += containers_problems(spec, around, at)
    if spec.get("initContainers"):
        found += init_containers_problems(spec, around, at)
    if spec.get("ephemeralContainers"):
        found += ephemeral_containers_problems(spec, around, at)
    if spec.get("resources") is not None:
        found += pod_resource_problems(spec, at)
    if spec.get("hostNetwork"):
        found += _host_ports(spec, at, lone=lone)
    found += one_listed(f"{at}.restartPolicy", spec.get("restartPolicy"), _RESTARTS)
    found += one_listed(f"{at}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    if given := spec.get("nodeSelector"):
        found += label_problems(f"{at}.nodeSelector", given)
    if given := spec.get("securityContext"):
        found += pod_security_problems(given, spec, f"{at}.securityContext")
    if given := spec.get("affinity"):
        found += affinity_problems(given, f"{at}.affinity")
    found += dns_problems(spec.get("dnsConfig"), spec.get("dnsPolicy"), f"{at}.dnsConfig")
    return found + _later(spec, at)


def _later(spec: Part, at: str) -> list[FieldError]:
    """Check the second half of a spec, in upstream's order."""
    found: list[FieldError] = []
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        here = f"{at}.readinessGates[{index}].conditionType"
        found += each_invalid(here, kind, names.qualified_name(kind))
    if given := spec.get("schedulingGates"):
        found += gate_problems(given, f"{at}.schedulingGates")
    if given := spec.get("topologySpreadConstraints"):
        found += spread_problems(given, f"{at}.topologySpreadConstraints")
    found += host_process_problems(spec, at)
    if spec.get("hostUsers") is False:
        found += [
            forbidden(f"{at}.{shown}", "when `pod.Spec.HostUsers` is false")
            for field, shown in (
                ("hostNetwork", "hostNetwork"),
                ("hostPID", "HostPID"),
                ("hostIPC", "HostIPC"),
            )
            if spec.get(field)
        ]
    for field, rule in _NAMES:
        if given := spec.get(field):
            found += each_invalid(f"{at}.{field}", given, rule(given))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_INT32:
        found.append(invalid(f"{at}.activeDeadlineSeconds", deadline, in_range(1, MAX_INT32)))
    found += host_name_problems(spec, at)
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        found += toleration_problems(toleration, f"{at}.tolerations[{index}]")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        found += _host_alias(alias, f"{at}.hostAliases[{index}]")
    if given := spec.get("priorityClassName"):
        found += each_invalid(f"{at}.priorityClassName", given, names.dns_subdomain(given))
    if (given := spec.get("runtimeClassName")) is not None:
        found += each_invalid(f"{at}.runtimeClassName", given, names.dns_subdomain(given))
    if (given := spec.get("preemptionPolicy")) is not None:
        found += one_listed(f"{at}.preemptionPolicy", given, _PREEMPTIONS)
    if given := spec.get("overhead"):
        found += resource_problems({"limits": given}, f"{at}.overhead")
    if spec.get("os") is not None:
        found += system_problems(spec, at)
    return found


def _resource_claims(claims: list[Part], at: str) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        here = f"{at}[{index}]"
        name = claim.get("name") or ""
        if not name:
            found.append(required(f"{here}.name"))
        elif name in seen:
            found.append(duplicate(f"{here}.name", name))
        else:
            found += each_invalid(f"{here}.name", name, names.dns_label(name))
            seen.add(name)
        fields = ("resourceClaimName", "resourceClaimTemplateName")
        given = [field for field in fields if claim.get(field) is not None]
        if len(given) > 1:
            wrong = (
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            )
            found.append(invalid(here, claim, wrong))
        elif not given:
            wrong = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            found.append(invalid(here, claim, wrong))
        for field in given:
            value = claim[field]
            found += each_invalid(f"{here}.{field}", value, names.dns_subdomain(value))
    return found


def _host_ports(spec: Part, at: str, *, lone: bool) -> list[FieldError]:
    """Check that ports on the node's network are the container's own; templates may leave out."""
    return [
        invalid(
            f"{at}.containers[{index}].ports[{number}].hostPort",
            port.get("hostPort") or 0,
            "must match `containerPort` when `hostNetwork` is true",
        )
        for index, container in enumerate(spec.get("containers") or ())
        for number, port in enumerate(container.get("ports") or ())
        if (lone or port.get("hostPort"))
        and (port.get("hostPort") or 0) != (port.get("containerPort") or 0)
    ]


def _host_alias(alias: Part, at: str) -> list[FieldError]:
    address = alias.get("ip") or ""
    found = each_invalid(f"{at}.ip", address, names.ip_address(address))
    for index, name in enumerate(alias.get("hostnames") or ()):
        found += each_invalid(f"{at}.hostnames[{index}]", name, names.dns_subdomain(name))
    return found
