"""Validation of pod specs, in pods and in templates.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.strategies._containers import container_problems, port_conflicts
from orchestrator.resources.strategies._metadata import label_problems
from orchestrator.resources.strategies._problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_negative,
    not_supported,
    one_of,
    required,
)
from orchestrator.resources.strategies._sharing import Part

_DNS_POLICIES: Final = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_EFFECTS: Final = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_MAX_DEADLINE: Final = 2**31 - 1


def pod_spec_problems(spec: Part, at: str) -> list[FieldError]:
    """Return every complaint about a defaulted pod spec at path ``at``."""
    found: list[FieldError] = []
    volumes = _volumes(spec.get("volumes") or (), f"{at}.volumes", found)
    seen: set[str] = set()
    containers = spec.get("containers") or ()
    if not containers:
        found.append(required(f"{at}.containers"))
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = f"{at}.{field}[{index}]"
            found += container_problems(container, here, volumes=volumes, field=field)
            name = container.get("name") or ""
            if name in seen:
                found.append(duplicate(f"{here}.name", name))
            elif name:
                seen.add(name)
    found += port_conflicts(spec, at)
    found += one_of(
        f"{at}.restartPolicy", spec.get("restartPolicy"), ("Always", "OnFailure", "Never")
    )
    found += one_of(f"{at}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    found += label_problems(f"{at}.nodeSelector", spec.get("nodeSelector"))
    found += _scalars(spec, at)
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        found += toleration_problems(toleration, f"{at}.tolerations[{index}]")
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    if affinity:
        found += _node_affinity(affinity, f"{at}.affinity.nodeAffinity")
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        found += _spread(constraint, f"{at}.topologySpreadConstraints[{index}]")
    return found


def _scalars(spec: Part, at: str) -> list[FieldError]:
    found = not_negative(
        f"{at}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds")
    )
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MAX_DEADLINE:
        found.append(
            invalid(
                f"{at}.activeDeadlineSeconds",
                deadline,
                f"must be between 1 and {_MAX_DEADLINE}, inclusive",
            )
        )
    checks: tuple[tuple[str, Callable[[str], list[str]]], ...] = (
        ("nodeName", names.dns_subdomain),
        ("serviceAccountName", names.dns_subdomain),
        ("priorityClassName", names.dns_subdomain),
        ("runtimeClassName", names.dns_subdomain),
        ("schedulerName", names.dns_subdomain),
        ("hostname", names.dns_label),
        ("subdomain", names.dns_label),
    )
    for field, check in checks:
        if value := spec.get(field):
            found += each_invalid(f"{at}.{field}", value, check(value))
    context: dict[str, Any] = spec.get("securityContext") or {}
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        value = context.get(field)
        if value is not None and not 0 <= value <= _MAX_DEADLINE:
            found.append(
                invalid(
                    f"{at}.securityContext.{field}",
                    value,
                    f"must be between 0 and {_MAX_DEADLINE}, inclusive",
                )
            )
    return found


def _volumes(volumes: Any, at: str, found: list[FieldError]) -> frozenset[str]:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        here = f"{at}[{index}]"
        name = volume.get("name") or ""
        if not name:
            found.append(required(f"{here}.name"))
        else:
            found += each_invalid(f"{here}.name", name, names.dns_label(name))
        if name in seen:
            found.append(duplicate(f"{here}.name", name))
        seen.add(name)
        sources = [
            field for field, value in volume.items() if field != "name" and value is not None
        ]
        if not sources:
            found.append(required(here, "must specify a volume type"))
        found += [
            forbidden(f"{here}.{source}", "may not specify more than 1 volume type")
            for source in sources[1:]
        ]
        found += _source(volume, here)
    return frozenset(seen)


_NEEDED: Final = (
    ("secret", "secretName"),
    ("hostPath", "path"),
    ("persistentVolumeClaim", "claimName"),
    ("configMap", "name"),
    ("nfs", "server"),
    ("nfs", "path"),
    ("csi", "driver"),
)


def _source(volume: Part, at: str) -> list[FieldError]:
    found = [
        required(f"{at}.{source}.{field}")
        for source, field in _NEEDED
        if volume.get(source) is not None and not volume[source].get(field)
    ]
    for source in ("secret", "configMap", "projected", "downwardAPI"):
        mode = (volume.get(source) or {}).get("defaultMode")
        if mode is not None and not 0 <= mode <= 0o777:
            found.append(
                invalid(
                    f"{at}.{source}.defaultMode",
                    mode,
                    "must be a number between 0 and 0777 (octal), both inclusive",
                )
            )
    return found


def toleration_problems(toleration: Part, at: str) -> list[FieldError]:
    """Check one toleration."""
    key = toleration.get("key") or ""
    operator = toleration.get("operator") or "Equal"
    effect = toleration.get("effect") or ""
    found: list[FieldError] = []
    if key:
        found += each_invalid(f"{at}.key", key, names.qualified_name(key))
    elif operator != "Exists":
        found.append(
            invalid(
                f"{at}.operator",
                operator,
                'operator must be Exists when `key` is empty, which means "match all values and '
                'all keys"',
            )
        )
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        found.append(
            invalid(
                f"{at}.effect",
                effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            )
        )
    if operator == "Equal":
        value = toleration.get("value") or ""
        found += each_invalid(f"{at}.operator", value, names.label_value(value))
    elif operator == "Exists":
        if toleration.get("value"):
            found.append(
                invalid(
                    f"{at}.operator", toleration, "value must be empty when `operator` is 'Exists'"
                )
            )
    else:
        found.append(not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in _EFFECTS:
        found.append(not_supported(f"{at}.effect", effect, _EFFECTS))
    return found


def _node_affinity(affinity: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    needed = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if needed is not None:
        here = f"{at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
        terms = needed.get("nodeSelectorTerms") or ()
        if not terms:
            found.append(required(here, "must have at least one node selector term"))
        for index, term in enumerate(terms):
            found += node_term_problems(term, f"{here}[{index}]")
    wanted = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    for index, preference in enumerate(wanted):
        here = f"{at}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
        weight = preference.get("weight") or 0
        if not 1 <= weight <= 100:
            found.append(invalid(f"{here}.weight", weight, "must be in the range 1-100"))
        found += node_term_problems(preference.get("preference") or {}, f"{here}.preference")
    return found


def node_term_problems(term: Part, at: str) -> list[FieldError]:
    """Check one node selector term."""
    found: list[FieldError] = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        here = f"{at}.matchExpressions[{index}]"
        operator = expression.get("operator")
        values = expression.get("values") or ()
        match operator:
            case "In" | "NotIn":
                if not values:
                    found.append(
                        required(
                            f"{here}.values",
                            "must be specified when `operator` is 'In' or 'NotIn'",
                        )
                    )
            case "Exists" | "DoesNotExist":
                if values:
                    found.append(
                        forbidden(
                            f"{here}.values",
                            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                        )
                    )
            case "Gt" | "Lt":
                if len(values) != 1:
                    found.append(
                        required(
                            f"{here}.values",
                            "must be specified single value when `operator` is 'Lt' or 'Gt'",
                        )
                    )
            case _:
                found.append(invalid(f"{here}.operator", operator, "not a valid selector operator"))
        key = expression.get("key") or ""
        found += each_invalid(f"{here}.key", key, names.qualified_name(key))
    for index, expression in enumerate(term.get("matchFields") or ()):
        here = f"{at}.matchFields[{index}]"
        if expression.get("key") != "metadata.name":
            found.append(
                invalid(f"{here}.key", expression.get("key"), "not a valid field selector key")
            )
        if expression.get("operator") not in {"In", "NotIn"}:
            found.append(
                invalid(
                    f"{here}.operator", expression.get("operator"), "not a valid selector operator"
                )
            )
        elif len(expression.get("values") or ()) != 1:
            found.append(
                required(
                    f"{here}.values",
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field "
                    "selector",
                )
            )
    return found


def _spread(constraint: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    skew = constraint.get("maxSkew") or 0
    if skew <= 0:
        found.append(invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
    if not constraint.get("topologyKey"):
        found.append(required(f"{at}.topologyKey", "can not be empty"))
    found += one_of(
        f"{at}.whenUnsatisfiable",
        constraint.get("whenUnsatisfiable"),
        ("DoNotSchedule", "ScheduleAnyway"),
    )
    return found
