"""Rules of the annotations that mean something on pods and templates.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import forbidden, invalid
from orchestrator.resources.strategies._paths import descending_path
from orchestrator.resources.strategies._sharing import Part

MIRROR: Final = "kubernetes.io/config.mirror"
SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_COST: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_SECCOMP_SAME: Final[dict[str, tuple[str, ...]]] = {
    "Unconfined": ("unconfined",),
    "RuntimeDefault": ("runtime/default", "docker/default"),
}
_APP_ARMOR_SAME: Final[dict[str, tuple[str, ...]]] = {
    "Unconfined": ("unconfined",),
    "RuntimeDefault": ("runtime/default",),
}
_LOCAL: Final = "localhost/"


def containers(spec: Part, at: str) -> Iterator[tuple[Part, str]]:
    """Yield all containers with their paths, init containers first: upstream's order."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield container, f"{at}.{field}[{index}]"


def pod_annotation_problems(annotations: dict[str, str], spec: Part, at: str) -> list[FieldError]:
    """Check the annotations that concern a pod's spec."""
    found: list[FieldError] = []
    mirrored = annotations.get(MIRROR)
    if mirrored is not None and not spec.get("nodeName"):
        found.append(
            invalid(
                f"{at}[{MIRROR}]",
                mirrored,
                "must set spec.nodeName if mirror pod annotation is set",
            )
        )
    cost = annotations.get(_DELETION_COST)
    if cost is not None and not _is_cost(cost):
        found.append(invalid(f"{at}[{_DELETION_COST}]", cost, "must be a 32bit integer"))
    for key, value in annotations.items():
        if key == SECCOMP_POD or key.startswith(SECCOMP_CONTAINER):
            found += _seccomp(value, f"{at}.{key}")
        elif key.startswith(APP_ARMOR):
            found += _app_armor(key.removeprefix(APP_ARMOR), value, spec, f"{at}[{key}]")
    return found


def _is_cost(text: str) -> bool:
    # The first character may not be a plus sign nor a zero that means nothing: upstream's rule.
    if not _COST.fullmatch(text) or text[0] == "+" or (text[0] == "0" and text != "0"):
        return False
    return -(2**31) <= int(text) < 2**31


def _seccomp(profile: str, at: str) -> list[FieldError]:
    if profile in {"runtime/default", "docker/default", "unconfined"}:
        return []
    if profile.startswith(_LOCAL):
        return descending_path(at, profile.removeprefix(_LOCAL))
    return [invalid(at, profile, "must be a valid seccomp profile")]


def _app_armor(container: str, profile: str, spec: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    if all(one.get("name") != container for one, _ in containers(spec, "")):
        found.append(invalid(at, container, "container not found"))
    known = profile in {"", "runtime/default", "unconfined"} or profile.startswith(_LOCAL)
    if not known:
        found.append(invalid(at, profile, f'invalid AppArmor profile name: "{profile}"'))
    return found


def profile_match_problems(annotations: dict[str, str], spec: Part, at: str) -> list[FieldError]:
    """Check that profiles in annotations are those of the fields, where both are given."""
    pod: Part = spec.get("securityContext") or {}
    found: list[FieldError] = []
    profile = pod.get("seccompProfile")
    if profile is not None and SECCOMP_POD in annotations:
        here = f"{at}.securityContext.seccompProfile"
        found += _match("seccomp", profile, annotations[SECCOMP_POD], _SECCOMP_SAME, here)
    for container, here in containers(spec, at):
        own = (container.get("securityContext") or {}).get("seccompProfile")
        annotation = annotations.get(f"{SECCOMP_CONTAINER}{container.get('name')}")
        if own is not None and annotation is not None:
            place = f"{here}.securityContext.seccompProfile"
            found += _match("seccomp", own, annotation, _SECCOMP_SAME, place)
    if (spec.get("os") or {}).get("name") == "windows":
        return found
    for container, here in containers(spec, at):
        own = (container.get("securityContext") or {}).get("appArmorProfile")
        own = own or pod.get("appArmorProfile")
        annotation = annotations.get(f"{APP_ARMOR}{container.get('name')}")
        if own is not None and annotation is not None:
            place = f"{here}.securityContext.appArmorProfile"
            found += _match("apparmor", own, annotation, _APP_ARMOR_SAME, place)
    return found


def _match(
    what: str, profile: Part, annotation: str, same: dict[str, tuple[str, ...]], at: str
) -> list[FieldError]:
    kind = profile.get("type") or ""
    differs = forbidden(f"{at}.type", f"{what} type in annotation and field must match")
    if kind in same:
        return [] if annotation in same[kind] else [differs]
    if kind != "Localhost":
        return []
    if not annotation.startswith(_LOCAL):
        return [differs]
    if annotation.removeprefix(_LOCAL) == profile.get("localhostProfile"):
        return []
    return [
        forbidden(f"{at}.localhostProfile", f"{what} profile in annotation and field must match")
    ]


def annotation_update_problems(
    after: dict[str, str], before: dict[str, str], at: str
) -> list[FieldError]:
    """Check that an update leaves the annotations alone that may not change."""
    found: list[FieldError] = []
    for key, value in before.items():
        if after.get(key) == value:
            continue
        if key.startswith(APP_ARMOR):
            wrong = "may not remove or update AppArmor annotations"
            found.append(forbidden(f"{at}[{key}]", wrong))
        if key == MIRROR:
            wrong = "may not remove or update mirror pod annotation"
            found.append(forbidden(f"{at}[{key}]", wrong))
    for key in after:
        if key in before:
            continue
        if key.startswith(APP_ARMOR):
            found.append(forbidden(f"{at}[{key}]", "may not add AppArmor annotations"))
        if key == MIRROR:
            found.append(forbidden(f"{at}[{key}]", "may not add mirror pod annotation"))
    return found
