"""Validation of what concerns Windows, and of what a pod's operating system rules out.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.strategies._sharing import Part

_CREDENTIALS_KIB: Final = 64
_DOMAIN_LIMIT: Final = 256
_USER_LIMIT: Final = 104
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NET_BIOS: Final = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DNS_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS: Final = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_USER_WRONG: Final = re.compile(r'["/\\:;|=,+*?<>@\[\]]')
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_POD_LINUX_ONLY: Final = (
    ("appArmorProfile", True),
    ("seLinuxOptions", True),
    ("hostUsers", False),
    ("hostPID", False),
    ("hostIPC", False),
    ("seccompProfile", True),
    ("fsGroup", True),
    ("fsGroupChangePolicy", True),
    ("sysctls", True),
    ("shareProcessNamespace", False),
    ("runAsUser", True),
    ("runAsGroup", True),
    ("supplementalGroups", True),
    ("supplementalGroupsPolicy", True),
    ("seLinuxChangePolicy", True),
)
"""Fields that a Windows pod may not have, and whether they belong to its security context."""
_CONTAINER_LINUX_ONLY: Final = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
_FLAGS: Final = ("hostPID", "hostIPC")
_NOT_ON_WINDOWS: Final = "cannot be set for a windows pod"


def contexts(spec: Part, at: str) -> Iterator[tuple[Part, str]]:
    """Yield the security contexts of all containers, init containers first, with their paths."""
    for field in _LISTS:
        for index, container in enumerate(spec.get(field) or ()):
            if context := container.get("securityContext"):
                yield context, f"{at}.{field}[{index}].securityContext"


def windows_options_problems(options: Part, at: str) -> list[FieldError]:
    """Check ``windowsOptions`` of a security context."""
    found: list[FieldError] = []
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        found += each_invalid(f"{at}.gmsaCredentialSpecName", name, names.dns_subdomain(name))
    if (credentials := options.get("gmsaCredentialSpec")) is not None:
        field = f"{at}.gmsaCredentialSpec"
        if not credentials:
            wrong = "gmsaCredentialSpec cannot be an empty string"
            found.append(invalid(field, credentials, wrong))
        elif len(credentials.encode()) > _CREDENTIALS_KIB * 1024:
            wrong = f"gmsaCredentialSpec size must be under {_CREDENTIALS_KIB} KiB"
            found.append(invalid(field, credentials, wrong))
    if (user := options.get("runAsUserName")) is not None:
        found += each_invalid(f"{at}.runAsUserName", user, _user_name(user))
    return found


def _user_name(given: str) -> list[str]:
    if not given:
        return ["runAsUserName cannot be an empty string"]
    if _CONTROL.search(given):
        return ["runAsUserName cannot contain control characters"]
    if given.count("\\") > 1:
        return ["runAsUserName cannot contain more than one backslash"]
    domain, backslash, user = given.rpartition("\\")
    found: list[str] = []
    if len(domain) >= _DOMAIN_LIMIT:
        found.append(f"runAsUserName's Domain length must be under {_DOMAIN_LIMIT} characters")
    if backslash and not _NET_BIOS.fullmatch(domain) and not _DNS.fullmatch(domain):
        found.append("runAsUserName's Domain doesn't match the NetBios nor the DNS format")
    if not user:
        found.append("runAsUserName's User cannot be empty")
    elif len(user) > _USER_LIMIT:
        found.append(
            f"runAsUserName's User length must not be longer than {_USER_LIMIT} characters"
        )
    if user and not user.strip(". "):
        found.append("runAsUserName's User cannot contain only periods or spaces")
    if _USER_WRONG.search(user):
        found.append(
            r"runAsUserName's User cannot contain the following characters: "
            r'"/\:;|=,+*?<>@[]'
        )
    return found


def host_process_problems(spec: Part, at: str) -> list[FieldError]:
    """Check that all containers of a Windows pod are host processes or none is."""
    options = (spec.get("securityContext") or {}).get("windowsOptions") or {}
    pod = options.get("hostProcess")
    found: list[FieldError] = []
    explicit = inherited = own_word = 0
    for context, here in contexts(spec, at):
        own = (context.get("windowsOptions") or {}).get("hostProcess")
        if own is None:
            continue
        own_word += 1
        if pod is not None and pod != own:
            shown = "true" if pod else "false"
            found.append(
                invalid(
                    f"{here}.windowsOptions.hostProcess",
                    own,
                    f"pod hostProcess value must be identical if both are specified, was {shown}",
                )
            )
        explicit += bool(own)
    total = sum(len(spec.get(field) or ()) for field in _LISTS)
    if pod:
        inherited = total - own_word
    if explicit + inherited == 0:
        return found
    if explicit + inherited != total:
        found.append(
            invalid(
                at,
                "",
                "If pod contains any hostProcess containers then all containers must be "
                "HostProcess containers",
            )
        )
    if not spec.get("hostNetwork"):
        found.append(
            invalid(
                f"{at}.hostNetwork",
                False,
                "hostNetwork must be true if pod contains any hostProcess containers",
            )
        )
    return found


def system_problems(spec: Part, at: str) -> list[FieldError]:
    """Check a pod's ``os``, and that no field belongs to the other system."""
    name = (spec.get("os") or {}).get("name") or ""
    if not name:
        return [required(f"{at}.os.name", "cannot be empty")]
    if name == "linux":
        return _linux(spec, at)
    if name == "windows":
        return _windows(spec, at)
    return [not_supported(f"{at}.os", name, ("linux", "windows"))]


def _linux(spec: Part, at: str) -> list[FieldError]:
    pod = (spec.get("securityContext") or {}, f"{at}.securityContext")
    return [
        forbidden(f"{here}.windowsOptions", "windows options cannot be set for a linux pod")
        for context, here in (pod, *contexts(spec, at))
        if context.get("windowsOptions") is not None
    ]


def _windows(spec: Part, at: str) -> list[FieldError]:
    security: Part = spec.get("securityContext") or {}
    found: list[FieldError] = []
    for field, inside in _POD_LINUX_ONLY:
        value = (security if inside else spec).get(field)
        if value is None or (field in _FLAGS and not value) or value == []:
            continue
        path = f"{at}.securityContext.{field}" if inside else f"{at}.{field}"
        found.append(forbidden(path, _NOT_ON_WINDOWS))
    for context, here in contexts(spec, at):
        found += [
            forbidden(f"{here}.{field}", _NOT_ON_WINDOWS)
            for field in _CONTAINER_LINUX_ONLY
            if context.get(field) is not None
        ]
    return found
