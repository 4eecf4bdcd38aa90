"""What is accepted in pods and templates, and yet deserves a warning.

Source of cases and words: pkg/api/pod/warnings.go and pkg/api/node/util.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.objects import Object
from orchestrator.resources.quantities import QuantityError, canonical, parse
from orchestrator.resources.strategies._pod_annotations import (
    APP_ARMOR,
    SECCOMP_CONTAINER,
    SECCOMP_POD,
    containers,
)
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._strategy import Warnings

_OLD_LABELS: Final = {
    "failure-domain.beta.kubernetes.io/zone": ("1.17", "topology.kubernetes.io/zone"),
    "failure-domain.beta.kubernetes.io/region": ("1.17", "topology.kubernetes.io/region"),
    "beta.kubernetes.io/instance-type": ("1.17", "node.kubernetes.io/instance-type"),
    "beta.kubernetes.io/os": ("1.14", "kubernetes.io/os"),
    "beta.kubernetes.io/arch": ("1.14", "kubernetes.io/arch"),
}
_OLD_ANNOTATIONS: Final = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": (
        'non-functional in v1.11+; use the "sysctls" field instead'
    ),
    "security.alpha.kubernetes.io/unsafe-sysctls": (
        'non-functional in v1.11+; use the "sysctls" field instead'
    ),
}
_OLD_VOLUMES: Final = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
# The backslashes are upstream's.
_SECCOMP: Final = r"non-functional in v1.27+; use the \"seccompProfile\" field instead"
_APP_ARMOR: Final = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_NO_SELECTOR: Final = "a null labelSelector results in matching no pod"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_NANO: Final = 10**9


def pod_warnings(new: Object, old: Object | None) -> list[str]:
    """Return the warnings about a new pod; updates of pods get none, as upstream decided."""
    if old is not None:
        return []
    found = name_warnings(new, "the Pod's hostname")
    found += list(_spec(new.get("spec") or {}, new.get("metadata") or {}, ""))
    return found


def name_warnings(obj: Object, used_in: str) -> list[str]:
    """Warn of a name that goes into names of pods or hosts and is not one label."""
    problems = names.dns_label((obj.get("metadata") or {}).get("name") or "a")
    if not problems:
        return []
    return [
        (
            f"metadata.name: this is used in {used_in}, which can result in surprising behavior; a "
            f"DNS label is recommended: [{' '.join(problems)}]"
        )
    ]


def template_warnings(*path: str, names_pods: bool) -> Warnings:
    """Make the warnings of a kind with a pod template.

    Args:
        path: Steps to the template: ``("spec", "template")``.
        names_pods: Pods are named after the object.
    """
    at = ".".join(path)

    def warnings(new: Object, old: Object | None) -> list[str]:
        template, before = _at(new, path), None if old is None else _at(old, path)
        found = name_warnings(new, "Pod names and hostnames") if names_pods and not old else []
        if template and (before is None or (template is not before and template != before)):
            metadata = template.get("metadata") or {}
            found += _spec(template.get("spec") or {}, metadata, f"{at}.")
        return found

    return warnings


def _at(obj: Object, path: tuple[str, ...]) -> Part | None:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def _spec(spec: Part, metadata: Part, at: str) -> Iterator[str]:
    """Yield the warnings about a spec, in upstream's order; ``at`` is empty or ends with a dot."""
    annotations: dict[str, str] = metadata.get("annotations") or {}
    here = f"{at}spec"
    yield from _placement(spec, here)
    for key, message in _OLD_ANNOTATIONS.items():
        if key in annotations:
            yield f"{at}metadata.annotations[{key}]: {message}"
    if volumes := spec.get("volumes"):
        yield from _volumes(volumes, f"{here}.volumes")
    yield from _twice(spec.get("hostAliases") or (), "ip", f"{here}.hostAliases")
    secrets = spec.get("imagePullSecrets") or ()
    yield from _twice(secrets, "name", f"{here}.imagePullSecrets")
    for index, secret in enumerate(secrets):
        if not secret.get("name"):
            yield f'{here}.imagePullSecrets[{index}].name: invalid empty name ""'
    yield from _fractions(spec.get("overhead"), f"{here}.overhead")
    context: Part = spec.get("securityContext") or {}
    if context.get("seccompProfile") is None and SECCOMP_POD in annotations:
        yield f"{at}metadata.annotations[{SECCOMP_POD}]: {_SECCOMP}"
    for container, place in containers(spec, here):
        yield from _container(container, context, annotations, at, place)
    yield from _ports(spec, here)
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        yield (
            f"{here}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and "
            "will be treated as 1"
        )
    for field in ("podAffinity", "podAntiAffinity"):
        if affinity := (spec.get("affinity") or {}).get(field):
            yield from _selectorless(affinity, f"{here}.affinity.{field}")


def _outdated(label: str) -> str:
    found = _OLD_LABELS.get(label)
    return f'deprecated since v{found[0]}; use "{found[1]}" instead' if found else ""


def _placement(spec: Part, at: str) -> Iterator[str]:
    for key in spec.get("nodeSelector") or ():
        if message := _outdated(key):
            yield f"{at}.nodeSelector[{key}]: {message}"
    if nodes := (spec.get("affinity") or {}).get("nodeAffinity"):
        here = f"{at}.affinity.nodeAffinity"
        terms = (nodes.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()
        for index, term in enumerate(terms):
            place = f"{here}.{_REQUIRED}.nodeSelectorTerms[{index}]"
            yield from _term(term, place, values=False)
        for index, preference in enumerate(nodes.get(_PREFERRED) or ()):
            place = f"{here}.{_PREFERRED}[{index}].preference"
            yield from _term(preference.get("preference") or {}, place, values=True)
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        here = f"{at}.topologySpreadConstraints[{index}]"
        key = constraint.get("topologyKey") or ""
        if message := _outdated(key):
            yield f"{here}.topologyKey: {key} is {message}"
        if constraint.get("labelSelector") is None:
            yield f"{here}.labelSelector: {_NO_SELECTOR}"


def _term(term: Part, at: str, *, values: bool) -> Iterator[str]:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        key = expression.get("key") or ""
        if message := _outdated(key):
            yield f"{at}.matchExpressions[{index}].key: {key} is {message}"
        if not values:
            continue
        for number, value in enumerate(expression.get("values") or ()):
            for problem in names.label_value(value):
                here = f"{at}.matchExpressions[{index}].values[{number}]"
                yield f"{here}: {value} is invalid, {problem}"


def _volumes(volumes: list[Part], at: str) -> Iterator[str]:
    for index, volume in enumerate(volumes):
        for kind, message in _OLD_VOLUMES.items():
            if volume.get(kind) is not None:
                yield f"{at}[{index}].{kind}: {message}"
        claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}
        resources = (claim.get("spec") or {}).get("resources") or {}
        for side in ("requests", "limits"):
            place = f"{at}[{index}].ephemeral.volumeClaimTemplate.spec.resources.{side}"
            yield from _fractions(resources.get(side), place, ("storage",))
    tokens = {
        source["serviceAccountToken"].get("path")
        for _, source in _projections(volumes)
        if source.get("serviceAccountToken") is not None
    }
    if tokens:
        for index, source in _projections(volumes):
            yield from _beside_tokens(source, tokens, f"{at}[{index}].projected.sources")


def _projections(volumes: list[Part]) -> Iterator[tuple[int, Part]]:
    for index, volume in enumerate(volumes):
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield index, source


def _beside_tokens(source: Part, tokens: set[Any], at: str) -> Iterator[str]:
    for kind, shown in (("configMap", "configMap"), ("secret", "secrets"), ("downwardAPI",) * 2):
        for index, item in enumerate((source.get(kind) or {}).get("items") or ()):
            if (path := item.get("path")) in tokens:
                message = f'has duplicated path with ServiceAccountToken "{path}"'
                yield f"{at}.{shown}[{index}]: {message}"
    bundle = source.get("clusterTrustBundle")
    if bundle is not None and (path := bundle.get("path")) in tokens:
        message = f'has duplicated path with ServiceAccountToken "{path}"'
        yield f"{at}.ClusterTrustBundle: {message}"


def _twice(items: Any, field: str, at: str) -> Iterator[str]:
    seen: set[Any] = set()
    for index, item in enumerate(items):
        value = item.get(field) or ""
        if value in seen:
            yield f'{at}[{index}].{field}: duplicate {field} "{value}"'
        seen.add(value)


def _fractions(
    amounts: Part | None, at: str, which: tuple[str, ...] = ("memory", "ephemeral-storage")
) -> Iterator[str]:
    if not amounts:
        return
    for name in which:
        if (amount := amounts.get(name)) is not None and _is_fraction(amount):
            shown = canonical(amount)
            yield f'{at}[{name}]: fractional byte value "{shown}" is invalid, must be an integer'


def _is_fraction(amount: Any) -> bool:
    try:
        return parse(amount).nano % _NANO != 0
    except QuantityError:
        return False


def _container(
    container: Part, pod: Part, annotations: dict[str, str], at: str, place: str
) -> Iterator[str]:
    context: Part = container.get("securityContext") or {}
    if annotations:
        key = f"{SECCOMP_CONTAINER}{container.get('name')}"
        if context.get("seccompProfile") is None and key in annotations:
            yield f"{at}metadata.annotations[{key}]: {_SECCOMP}"
        key = f"{APP_ARMOR}{container.get('name')}"
        profile = context.get("appArmorProfile") or pod.get("appArmorProfile")
        if profile is None and key in annotations:
            yield f"{at}metadata.annotations[{key}]: {_APP_ARMOR}"
    if resources := container.get("resources"):
        limits, requests = resources.get("limits"), resources.get("requests")
        for name in ("memory", "ephemeral-storage"):
            yield from _fractions(limits, f"{place}.resources.limits", (name,))
            yield from _fractions(requests, f"{place}.resources.requests", (name,))
    variables = container.get("env") or ()
    if len(variables) > 1:
        yield from _hidden(variables, f"{place}.env")


def _hidden(variables: Any, at: str) -> Iterator[str]:
    """Warn of variables given twice, unless the second is made of the first."""
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name, value = variable.get("name") or "", variable.get("value") or ""
        if name in seen:
            reference = f"$({name})"
            extends = reference in value and value != reference
            if variable.get("valueFrom") is not None or not extends:
                yield (
                    f'{at}[{index}]: hides previous definition of "{name}", which may be dropped '
                    "when using apply"
                )
        seen.add(name)


def _ports(spec: Part, at: str) -> Iterator[str]:
    known: dict[tuple[Any, Any], list[tuple[Part, str]]] = {}
    for container, place in containers(spec, at):
        for index, port in enumerate(container.get("ports") or ()):
            here = f"{place}.ports[{index}]"
            if port.get("hostIP") and not port.get("hostPort"):
                yield f"{here}: hostIP set without hostPort: {_port_shown(port)}"
            others = known.setdefault((port.get("containerPort"), port.get("protocol")), [])
            for other, where in others:
                if message := _port_clash(port, other):
                    yield f"{here}: {message} port definition with {where}"
            others.append((port, here))


def _port_clash(port: Part, other: Part) -> str:
    address, host = port.get("hostIP") or "", port.get("hostPort") or 0
    other_address, other_host = other.get("hostIP") or "", other.get("hostPort") or 0
    if (address, host) == (other_address, other_host):
        return "duplicate"
    if not host or not other_host:
        return "overlapping"
    if host == other_host and bool(address) != bool(other_address):
        return "dangerously ambiguous"
    return ""


def _port_shown(port: Part) -> str:
    """Show a port as Go's ``%+v`` does, which is upstream's way here."""
    return (
        f"{{Name:{port.get('name') or ''} HostPort:{port.get('hostPort') or 0} "
        f"ContainerPort:{port.get('containerPort') or 0} Protocol:{port.get('protocol') or ''} "
        f"HostIP:{port.get('hostIP') or ''}}}"
    )


def _selectorless(affinity: Part, at: str) -> Iterator[str]:
    for index, term in enumerate(affinity.get(_REQUIRED) or ()):
        if term.get("labelSelector") is None:
            yield f"{at}.{_REQUIRED}[{index}].labelSelector: {_NO_SELECTOR}"
    for index, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
            place = f"{at}.{_PREFERRED}[{index}].podAffinityTerm"
            yield f"{place}.labelSelector: {_NO_SELECTOR}"
