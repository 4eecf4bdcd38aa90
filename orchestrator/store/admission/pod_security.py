"""PodSecurity: the Pod Security Standards, as a namespace's labels ask for them.

Source of order and words: k8s.io/pod-security-admission/admission and .../api. There is no audit
log, so the audit labels are checked and have no further effect; nobody is exempt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from orchestrator.resources.errors import FieldError, forbidden, invalid
from orchestrator.resources.objects import Object, annotations_of, labels_of, meta, spec_of
from orchestrator.resources.pod_security import (
    LATEST,
    LEVELS,
    SECCOMP_CONTAINER,
    SECCOMP_POD,
    Level,
    Version,
    reasons,
    told,
    violations,
)
from orchestrator.resources.users import CONTROLLER_MANAGER
from orchestrator.store.admission.examining import Examined
from orchestrator.store.identities import named

NAMESPACES: Final = "namespaces"
_PREFIX: Final = "pod-security.kubernetes.io/"
_MODES: Final = ("enforce", "audit", "warn")
_LABELS: Final = frozenset(f"{_PREFIX}{mode}{part}" for mode in _MODES for part in ("", "-version"))
_VERSION: Final = re.compile(r"v1\.(0|[1-9][0-9]*)", re.ASCII)
_IGNORED: Final = frozenset(
    {"attach", "binding", "eviction", "exec", "log", "portforward", "proxy", "status"}
)
_MOST_PODS: Final = 3000
"""Pods that a namespace's new level is held against; upstream's number."""
WORKLOADS: Final = (
    "podtemplates",
    "replicationcontrollers",
    "replicasets.apps",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
)


class Standard(NamedTuple):
    """A level at a version."""

    level: Level = "privileged"
    version: Version = LATEST

    def __str__(self) -> str:
        version = "latest" if self.version == LATEST else "v{}.{}".format(*self.version)
        return f"{self.level}:{version}"


class Policy(NamedTuple):
    """What the labels of a namespace ask for, and what is wrong with them."""

    enforce: Standard
    warn: Standard
    problems: list[FieldError]


def policy_of(labels: Mapping[str, str]) -> Policy | None:
    """Read the labels of a namespace; None where they say nothing of it."""
    if _LABELS.isdisjoint(labels):
        return None
    problems: list[FieldError] = []
    found = {}
    for mode in _MODES:
        # What can't be read is enforced at its strictest, and not warned about.
        wrong: Level = "restricted" if mode == "enforce" else "privileged"
        level = _level(labels, f"{_PREFIX}{mode}", wrong, problems)
        found[mode] = Standard(level, _version(labels, f"{_PREFIX}{mode}-version", problems))
    enforce, warn = found["enforce"], found["warn"]
    if f"{_PREFIX}warn" not in labels:
        warn = warn._replace(level=enforce.level)
        if f"{_PREFIX}warn-version" not in labels:
            warn = enforce
    return Policy(enforce, warn, problems)


def _level(
    labels: Mapping[str, str], label: str, wrong: Level, problems: list[FieldError]
) -> Level:
    given = labels.get(label)
    if given is None:
        return "privileged"
    if given in LEVELS:
        return cast("Level", given)
    problems.append(_invalid(label, given, f"must be one of {', '.join(LEVELS)}"))
    return wrong


def _version(labels: Mapping[str, str], label: str, problems: list[FieldError]) -> Version:
    given = labels.get(label, "latest")
    if given == "latest":
        return LATEST
    match = _VERSION.fullmatch(given)
    if match is None or len(match[1]) > len("1000"):
        problems.append(_invalid(label, given, 'must be "latest" or "v1.x"'))
        return LATEST
    return 1, int(match[1])


def _invalid(label: str, given: str, why: str) -> FieldError:
    message = f'Invalid value: "{given}": {why}'
    return FieldError("FieldValueInvalid", f"metadata.labels[{label}]", message)


def check_pod_security(examined: Examined) -> None:
    """Hold pods to their namespace's standard, warn about templates, check the labels themselves.

    Raises:
        StatusError: 403 for a pod, 422 for labels.
    """
    resource = examined.kind.resource
    if resource == NAMESPACES:
        if not examined.subresource:
            _check_namespace(examined)
        return
    namespace = examined.reader.get(NAMESPACES, "", meta(examined.object).get("namespace") or "")
    policy = policy_of(labels_of(namespace)) if namespace is not None else None
    if policy is None:
        return
    if resource == "pods":
        _check_pod(examined, policy)
    elif not examined.subresource and _listens(examined):
        template = _template(examined.kind.resource, examined.object)
        _warn(examined, policy.warn, template.get("metadata"), template.get("spec") or {})


def _check_pod(examined: Examined, policy: Policy) -> None:
    pod, old = examined.object, examined.old
    if examined.subresource in _IGNORED or (old is not None and not _matters(pod, old)):
        return
    enforce = policy.enforce
    found = violations(enforce.level, enforce.version, pod["metadata"], spec_of(pod))
    if found:
        why = f'violates PodSecurity "{enforce}": {told(found)}'
        raise forbidden("pods", named(pod), why)
    if policy.warn != enforce and _listens(examined):
        _warn(examined, policy.warn, pod["metadata"], spec_of(pod))


def _listens(examined: Examined) -> bool:
    """Tell whether the writer reads warnings; controllers do not."""
    return examined.caller.user is not CONTROLLER_MANAGER


def _warn(
    examined: Examined, standard: Standard, metadata: dict[str, Any] | None, spec: dict[str, Any]
) -> None:
    found = violations(standard.level, standard.version, metadata, spec)
    if found:
        _tell(examined, [f'would violate PodSecurity "{standard}": {told(found)}'])


def _tell(examined: Examined, texts: list[str]) -> None:
    warnings = examined.caller.warnings
    warnings += [text for text in texts if text not in warnings]  # a change may be made again


def _template(resource: str, obj: Object) -> dict[str, Any]:
    if resource == "podtemplates":
        return obj.get("template") or {}
    spec = spec_of(obj)
    if resource == "cronjobs.batch":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return spec.get("template") or {}


def _matters(pod: Object, old: Object) -> bool:
    """Tell whether an update changes any of what is checked."""
    after, before = spec_of(pod), spec_of(old)
    notes, notes_before = annotations_of(pod), annotations_of(old)
    if notes.get(SECCOMP_POD) != notes_before.get(SECCOMP_POD):
        return True
    for field in ("containers", "initContainers", "ephemeralContainers"):
        present = {one["name"]: one for one in before.get(field) or ()}
        containers = after.get(field) or ()
        if len(containers) != len(present):
            return True
        for one in containers:
            former = present.get(one["name"])
            if former is None or one.get("image") != former.get("image"):
                return True
            key = SECCOMP_CONTAINER + one["name"]
            if notes.get(key) != notes_before.get(key):
                return True
    return False


def _check_namespace(examined: Examined) -> None:
    new = policy_of(labels_of(examined.object))
    if new is None:
        return
    old = policy_of(labels_of(examined.old)) if examined.old is not None else None
    if new.problems and (old is None or new.problems != old.problems):
        name = meta(examined.object).get("name") or ""
        raise invalid("Namespace", "", name, new.problems)
    if examined.old is None or not _listens(examined):
        return
    before = old.enforce if old is not None else Standard()
    enforce = new.enforce
    relaxed = LEVELS.index(enforce.level) <= LEVELS.index(before.level)
    if enforce != before and not (enforce.version == before.version and relaxed):
        _tell(examined, _about_present_pods(examined, enforce))


def _about_present_pods(examined: Examined, enforce: Standard) -> list[str]:
    namespace = meta(examined.object)["name"]
    pods = examined.reader.list("pods", namespace)
    offenders: dict[str, list[str]] = {}
    seen: dict[tuple[int, int], str] = {}  # pods of one template share their spec
    for pod in pods[:_MOST_PODS]:
        at = id(spec_of(pod)), id(pod["metadata"].get("annotations"))
        if at not in seen:
            found = violations(enforce.level, enforce.version, pod["metadata"], spec_of(pod))
            seen[at] = reasons(found)
        if seen[at]:
            offenders.setdefault(seen[at], []).append(pod["metadata"]["name"])
    texts = []
    if len(pods) > _MOST_PODS:
        texts.append(
            f"new PodSecurity enforce level only checked against the first {_MOST_PODS} of "
            f"{len(pods)} existing pods"
        )
    if offenders:
        texts.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level '
            f'"{enforce}"'
        )
    return texts + sorted(f"{_crowd(names)}: {why}" for why, names in offenders.items())


def _crowd(names: list[str]) -> str:
    first, others = min(names), len(names) - 1
    if not others:
        return first
    return f"{first} (and {others} other pod{'s' if others > 1 else ''})"
