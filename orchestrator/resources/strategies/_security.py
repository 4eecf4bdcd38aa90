"""Validation of security contexts, a pod's and a container's.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    MAX_INT32,
    duplicate,
    if_given,
    in_range,
    invalid,
    not_supported,
    required,
    too_long,
)
from orchestrator.resources.strategies._paths import descending_path
from orchestrator.resources.strategies._sharing import Part
from orchestrator.resources.strategies._windows import windows_options_problems

_PROFILES: Final = ("Localhost", "RuntimeDefault", "Unconfined")
_PATH_LIMIT: Final = 4095
_SYSCTL_LIMIT: Final = 253
_SEGMENT: Final = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_SHOWN: Final = rf"^({_SEGMENT}[\./])*{_SEGMENT}$"
_SYSCTL: Final = re.compile(rf"({_SEGMENT}[\./])*{_SEGMENT}")
_IPC: Final = ("kernel.sem", "kernel.shm", "kernel.msg", "fs.mqueue.")


def id_problems(field: str, value: int | None) -> list[FieldError]:
    """Check the number of a user or a group; None is fine."""
    if value is None or 0 <= value <= MAX_INT32:
        return []
    return [invalid(field, value, in_range(0, MAX_INT32))]


def pod_security_problems(context: Part, spec: Part, at: str) -> list[FieldError]:
    """Check a pod's security context."""
    found: list[FieldError] = []
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        found += id_problems(f"{at}.{field}", context.get(field))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        found += id_problems(f"{at}.supplementalGroups[{index}]", group)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        found.append(
            invalid(
                f"{at}.shareProcessNamespace",
                True,
                "ShareProcessNamespace and HostPID cannot both be enabled",
            )
        )
    if sysctls := context.get("sysctls"):
        found += _sysctls(sysctls, spec, f"{at}.sysctls")
    found += if_given(
        f"{at}.fsGroupChangePolicy",
        context.get("fsGroupChangePolicy"),
        ("Always", "OnRootMismatch"),
    )
    found += _profiles(context, at)
    found += if_given(
        f"{at}.supplementalGroupsPolicy",
        context.get("supplementalGroupsPolicy"),
        ("Merge", "Strict"),
    )
    return found + if_given(
        f"{at}.seLinuxChangePolicy",
        context.get("seLinuxChangePolicy"),
        ("MountOption", "Recursive"),
    )


def _profiles(context: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    if (profile := context.get("seccompProfile")) is not None:
        found += _seccomp(profile, f"{at}.seccompProfile")
    if (options := context.get("windowsOptions")) is not None:
        found += windows_options_problems(options, f"{at}.windowsOptions")
    if (profile := context.get("appArmorProfile")) is not None:
        found += _app_armor(profile, f"{at}.appArmorProfile")
    return found


def _sysctls(sysctls: list[Part], spec: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        here = f"{at}[{index}].name"
        name = sysctl.get("name") or ""
        if not name:
            found.append(required(here))
        elif len(name) > _SYSCTL_LIMIT or not _SYSCTL.fullmatch(name):
            found.append(
                invalid(
                    here,
                    name,
                    f"must have at most {_SYSCTL_LIMIT} characters and match regex {_SYSCTL_SHOWN}",
                )
            )
        elif name in seen:
            found.append(duplicate(here, name))
        seen.add(name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            found.append(invalid(here, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and dotted.startswith(_IPC):
            found.append(invalid(here, name, "may not be specified when 'hostIPC' is true"))
    return found


def _seccomp(profile: Part, at: str) -> list[FieldError]:
    kind, path = profile.get("type") or "", profile.get("localhostProfile")
    found: list[FieldError] = []
    if not kind:
        found.append(required(f"{at}.type", "type is required when seccompProfile is set"))
    elif kind not in _PROFILES:
        found.append(not_supported(f"{at}.type", kind, _PROFILES))
    field = f"{at}.localhostProfile"
    if kind == "Localhost":
        if path is None:
            return [*found, required(field, "must be set when seccomp type is Localhost")]
        return found + descending_path(field, path)
    if path is not None:
        found.append(invalid(field, profile, "can only be set when seccomp type is Localhost"))
    return found


def _app_armor(profile: Part, at: str) -> list[FieldError]:
    kind, path = profile.get("type") or "", profile.get("localhostProfile")
    field = f"{at}.localhostProfile"
    if not kind:
        return [required(f"{at}.type", "type is required when appArmorProfile is set")]
    if kind not in _PROFILES:
        return [not_supported(f"{at}.type", kind, _PROFILES)]
    if kind != "Localhost":
        if path is None:
            return []
        return [invalid(field, path, "can only be set when AppArmor type is Localhost")]
    if path is None:
        return [required(field, "must be set when AppArmor type is Localhost")]
    found: list[FieldError] = []
    if path != path.strip():
        found.append(invalid(field, path, "must not be padded with whitespace"))
    elif not path:
        found.append(required(field, "must be set when AppArmor type is Localhost"))
    if len(path.encode()) > _PATH_LIMIT:
        found.append(too_long(field, _PATH_LIMIT))
    return found


def container_security_problems(context: Part, at: str, *, host_users: bool) -> list[FieldError]:
    """Check a container's security context.

    Args:
        context: It.
        at: Its path.
        host_users: The pod has no user namespace of its own.
    """
    found = id_problems(f"{at}.runAsUser", context.get("runAsUser"))
    found += id_problems(f"{at}.runAsGroup", context.get("runAsGroup"))
    mount: Any = context.get("procMount")
    if mount is not None:
        found += if_given(f"{at}.procMount", mount, ("Default", "Unmasked"))
        if host_users and mount == "Unmasked":
            found.append(
                invalid(f"{at}.procMount", mount, "`hostUsers` must be false to use `Unmasked`")
            )
    if (profile := context.get("seccompProfile")) is not None:
        found += _seccomp(profile, f"{at}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            found.append(
                invalid(
                    at,
                    context,
                    "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
                )
            )
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            found.append(
                invalid(
                    at,
                    context,
                    "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
                    "CAP_SYS_ADMIN",
                )
            )
    return found + _profiles({**context, "seccompProfile": None}, at)
