"""The Pod Security Standards: what each level forbids of a pod. Pure.

Source of rules and words: k8s.io/pod-security-admission/policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias

Level: TypeAlias = Literal["privileged", "baseline", "restricted"]
Version: TypeAlias = tuple[int, int]
_Part: TypeAlias = dict[str, Any]

LEVELS: Final = ("privileged", "baseline", "restricted")
LATEST: Final[Version] = (1 << 30, 0)
SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"


class Pod(NamedTuple):
    """What is looked at of a pod.

    Attributes:
        annotations: Of the pod.
        spec: Of the pod.
        containers: Of all three kinds.
    """

    annotations: dict[str, str]
    spec: _Part
    containers: list[_Part]


class Violation(NamedTuple):
    """What one check has against a pod; both parts are upstream's words."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


_Rule: TypeAlias = Callable[[Pod], Violation | None]


class _Check(NamedTuple):
    """One check, from a version of the standards on and up to another.

    Attributes:
        name: Upstream's id; they are told in its order, a level's own after the baseline's.
        level: The lowest level that has it.
        rule: The check.
        since: The first minor version that has it.
        until: The first that has another one instead.
        replaces: The baseline's check that a restricted one goes beyond.
    """

    name: str
    level: Level
    rule: _Rule
    since: int = 0
    until: int = 1 << 31
    replaces: str = ""


def violations(
    level: Level, version: Version, metadata: _Part | None, spec: _Part
) -> list[Violation]:
    """Return what a level forbids of a pod.

    Args:
        level: Whose checks.
        version: Of the standards: ``(1, 25)``, or `LATEST`.
        metadata: Of the pod or its template.
        spec: Of the pod or its template.
    """
    if level == "privileged":
        return []
    containers = [
        container
        for field in ("initContainers", "containers", "ephemeralContainers")
        for container in spec.get(field) or ()
    ]
    pod = Pod((metadata or {}).get("annotations") or {}, spec, containers)
    minor = version[1] if version is not LATEST and version[0] == 1 else 1 << 30
    chosen = [
        check
        for check in CHECKS
        if check.since <= minor < check.until and check.level in {"baseline", level}
    ]
    replaced = {check.replaces for check in chosen}
    found = (check.rule(pod) for check in chosen if check.name not in replaced)
    return [violation for violation in found if violation is not None]


def told(found: Iterable[Violation]) -> str:
    """Return violations as one sentence tells them."""
    return ", ".join(map(str, found))


def reasons(found: Iterable[Violation]) -> str:
    """Return the reasons alone."""
    return ", ".join(violation.reason for violation in found)


# ---- words


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


def _containers(names: list[str]) -> str:
    return f"container{'s' if len(names) > 1 else ''} {_quoted(names)}"


def _setters(pod_does: bool, names: list[str]) -> str:
    each = ["pod"] if pod_does else []
    return " and ".join([*each, _containers(names)] if names else each)


def _security(part: _Part) -> _Part:
    return part.get("securityContext") or {}


def _named(pod: Pod, wrong: Callable[[_Part], Any]) -> list[str]:
    return [container["name"] for container in pod.containers if wrong(container)]


# ---- baseline


def _privileged(pod: Pod) -> Violation | None:
    names = _named(pod, lambda one: _security(one).get("privileged"))
    if not names:
        return None
    return Violation(
        "privileged", f"{_containers(names)} must not set securityContext.privileged=true"
    )


def _host_namespaces(pod: Pod) -> Violation | None:
    set_ = [field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(field)]
    if not set_:
        return None
    return Violation("host namespaces", ", ".join(f"{field}=true" for field in set_))


def _host_path_volumes(pod: Pod) -> Violation | None:
    names = [one["name"] for one in pod.spec.get("volumes") or () if one.get("hostPath")]
    if not names:
        return None
    word = "volumes" if len(names) > 1 else "volume"
    return Violation("hostPath volumes", f"{word} {_quoted(names)}")


def _host_ports(pod: Pod) -> Violation | None:
    def ports(container: _Part) -> list[str]:
        return [str(p["hostPort"]) for p in container.get("ports") or () if p.get("hostPort")]

    names = _named(pod, ports)
    if not names:
        return None
    numbers = sorted({number for container in pod.containers for number in ports(container)})
    verb = "use" if len(names) > 1 else "uses"
    noun = "hostPorts" if len(numbers) > 1 else "hostPort"
    return Violation("hostPort", f"{_containers(names)} {verb} {noun} {', '.join(numbers)}")


def _host_process(pod: Pod) -> Violation | None:
    def asks(part: _Part) -> bool:
        return bool((_security(part).get("windowsOptions") or {}).get("hostProcess"))

    who = _setters(asks(pod.spec), _named(pod, asks))
    if not who:
        return None
    return Violation(
        "hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true"
    )


_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)


def _added(container: _Part, allowed: frozenset[str]) -> list[str]:
    added = (_security(container).get("capabilities") or {}).get("add") or ()
    return [name for name in added if name not in allowed]


def _too_capable(pod: Pod, allowed: frozenset[str]) -> str:
    names = _named(pod, lambda one: _added(one, allowed))
    if not names:
        return ""
    wrong = sorted({name for one in pod.containers for name in _added(one, allowed)})
    return (
        f"{_containers(names)} must not include {_quoted(wrong)} in "
        "securityContext.capabilities.add"
    )


def _capabilities(pod: Pod) -> Violation | None:
    detail = _too_capable(pod, _CAPABILITIES)
    return Violation("non-default capabilities", detail) if detail else None


_APPARMOR_TYPES: Final = frozenset({"RuntimeDefault", "Localhost"})


def _app_armor(pod: Pod) -> Violation | None:
    def profile(part: _Part) -> str:
        chosen: str = (_security(part).get("appArmorProfile") or {}).get("type") or ""
        return "" if chosen in _APPARMOR_TYPES else chosen

    values = sorted({wrong for part in (pod.spec, *pod.containers) if (wrong := profile(part))})
    notes = sorted(
        f'{key}="{value}"'
        for key, value in pod.annotations.items()
        if key.startswith(_APPARMOR)
        and value not in {"", "runtime/default"}
        and not value.startswith("localhost/")
    )
    who = _setters(bool(profile(pod.spec)), _named(pod, profile))
    each = [who] if who else []
    if notes:
        each.append("annotations" if len(notes) > 1 else "annotation")
    if not each:
        return None
    values += notes
    return Violation(
        "forbidden AppArmor profiles" if len(values) > 1 else "forbidden AppArmor profile",
        f"{' and '.join(each)} must not set AppArmor profile type to {_quoted(values)}",
    )


_SELINUX_TYPES: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
_SELINUX_ENGINE: Final = _SELINUX_TYPES | {"container_engine_t"}


def _selinux(types: frozenset[str]) -> _Rule:
    def check(pod: Pod) -> Violation | None:
        def wrong(part: _Part) -> list[str]:
            options = _security(part).get("seLinuxOptions") or {}
            found = [] if (options.get("type") or "") in types else [options["type"]]
            return found + [field for field in ("user", "role") if options.get(field)]

        who = _setters(bool(wrong(pod.spec)), _named(pod, wrong))
        if not who:
            return None
        parts = [_security(one).get("seLinuxOptions") or {} for one in (pod.spec, *pod.containers)]
        bad = sorted({one["type"] for one in parts if (one.get("type") or "") not in types})
        told = [f"type{'s' if len(bad) > 1 else ''} {_quoted(bad)}"] if bad else []
        told += [
            f"{field} may not be set"
            for field in ("user", "role")
            if any(one.get(field) for one in parts)
        ]
        return Violation(
            "seLinuxOptions",
            f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(told)}",
        )

    return check


def _proc_mount(pod: Pod) -> Violation | None:
    def wrong(container: _Part) -> str:
        chosen: str = _security(container).get("procMount") or "Default"
        return "" if chosen == "Default" else chosen

    names = _named(pod, wrong)
    if not names:
        return None
    values = sorted({value for one in pod.containers if (value := wrong(one))})
    return Violation(
        "procMount",
        f"{_containers(names)} must not set securityContext.procMount to {_quoted(values)}",
    )


def _profile(part: _Part) -> str | None:
    profile = _security(part).get("seccompProfile")
    return None if profile is None else profile.get("type") or ""


def _bad_profile(part: _Part) -> bool:
    return _profile(part) not in {None, "RuntimeDefault", "Localhost"}


def _seccomp(pod: Pod) -> Violation | None:
    who = _setters(_bad_profile(pod.spec), _named(pod, _bad_profile))
    if not who:
        return None
    parts = (pod.spec, *pod.containers)
    values = sorted({_profile(one) or "" for one in parts if _bad_profile(one)})
    return Violation(
        "seccompProfile",
        f"{who} must not set securityContext.seccompProfile.type to {_quoted(values)}",
    )


def _seccomp_annotations(pod: Pod) -> Violation | None:
    keys = [SECCOMP_POD, *(SECCOMP_CONTAINER + one["name"] for one in pod.containers)]
    found = sorted(
        f'{key}="{value}"'
        for key in keys
        if (value := pod.annotations.get(key)) is not None
        and value not in {"runtime/default", "docker/default"}
        and not value.startswith("localhost/")
    )
    if not found:
        return None
    word = "annotations" if len(found) > 1 else "annotation"
    return Violation("seccompProfile", f"forbidden {word} {', '.join(found)}")


_SYSCTLS: Final = (
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
)


def _sysctls(minor: int) -> _Rule:
    allowed = {name for since, name in _SYSCTLS if since <= minor}

    def check(pod: Pod) -> Violation | None:
        wrong = [
            one["name"]
            for one in _security(pod.spec).get("sysctls") or ()
            if one.get("name") not in allowed
        ]
        return Violation("forbidden sysctls", ", ".join(wrong)) if wrong else None

    return check


def _hosts(container: _Part) -> Iterator[str]:
    lifecycle = container.get("lifecycle") or {}
    handlers = [
        container.get("livenessProbe"),
        container.get("readinessProbe"),
        container.get("startupProbe"),
        lifecycle.get("postStart"),
        lifecycle.get("preStop"),
    ]
    for handler in handlers:
        for way in ("httpGet", "tcpSocket"):
            host = ((handler or {}).get(way) or {}).get("host")
            if host:
                yield host


def _probe_hosts(pod: Pod) -> Violation | None:
    names = sorted(_named(pod, lambda one: list(_hosts(one))))
    if not names:
        return None
    hosts = sorted({host for one in pod.containers for host in _hosts(one)})
    verb = "use" if len(names) > 1 else "uses"
    noun = f"probe or lifecycle host{'s' if len(hosts) > 1 else ''}"
    return Violation(
        "probe or lifecycle host", f"{_containers(names)} {verb} {noun} {_quoted(hosts)}"
    )


# ---- restricted


def _on_windows(pod: Pod) -> bool:
    return bool((pod.spec.get("os") or {}).get("name") == "windows")


def _own_users(pod: Pod) -> bool:
    return pod.spec.get("hostUsers") is False


def _unless(exempt: Callable[[Pod], bool], rule: _Rule) -> _Rule:
    return lambda pod: None if exempt(pod) else rule(pod)


def _escalation(pod: Pod) -> Violation | None:
    names = _named(pod, lambda one: _security(one).get("allowPrivilegeEscalation") is not False)
    if not names:
        return None
    return Violation(
        "allowPrivilegeEscalation != false",
        f"{_containers(names)} must set securityContext.allowPrivilegeEscalation=false",
    )


def _few_capabilities(pod: Pod) -> Violation | None:
    def keeps(container: _Part) -> bool:
        return "ALL" not in ((_security(container).get("capabilities") or {}).get("drop") or ())

    keeping = _named(pod, keeps)
    details = []
    if keeping:
        details.append(f'{_containers(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if too_many := _too_capable(pod, frozenset({"NET_BIND_SERVICE"})):
        details.append(too_many)
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


_VOLUMES: Final = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_VOLUME_TYPES: Final = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
)


def _volumes(pod: Pod) -> Violation | None:
    names, types = [], set()
    for volume in pod.spec.get("volumes") or ():
        if any(volume.get(kind) is not None for kind in _VOLUMES):
            continue
        names.append(volume["name"])
        known = (kind for kind in _VOLUME_TYPES if volume.get(kind) is not None)
        types.add(next(known, "unknown"))
    if not names:
        return None
    volumes = f"volume{'s' if len(names) > 1 else ''} {_quoted(names)}"
    verb = "use" if len(names) > 1 else "uses"
    noun = f"restricted volume type{'s' if len(types) > 1 else ''}"
    return Violation("restricted volume types", f"{volumes} {verb} {noun} {_quoted(sorted(types))}")


def _non_root(pod: Pod) -> Violation | None:
    def says(part: _Part) -> Any:
        return _security(part).get("runAsNonRoot")

    who = _setters(says(pod.spec) is False, _named(pod, lambda one: says(one) is False))
    if who:
        return Violation(
            "runAsNonRoot != true", f"{who} must not set securityContext.runAsNonRoot=false"
        )
    silent = [] if says(pod.spec) else _named(pod, lambda one: says(one) is None)
    if not silent:
        return None
    return Violation(
        "runAsNonRoot != true",
        f"pod or {_containers(silent)} must set securityContext.runAsNonRoot=true",
    )


def _user(pod: Pod) -> Violation | None:
    def is_root(part: _Part) -> bool:
        return _security(part).get("runAsUser") == 0

    who = _setters(is_root(pod.spec), _named(pod, is_root))
    return Violation("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def _some_seccomp(pod: Pod) -> Violation | None:
    bad = _seccomp(pod)
    if bad is not None:
        return bad
    if _profile(pod.spec) is not None:
        return None
    silent = _named(pod, lambda one: _profile(one) is None)
    if not silent:
        return None
    return Violation(
        "seccompProfile",
        f"pod or {_containers(silent)} must set securityContext.seccompProfile.type to "
        '"RuntimeDefault" or "Localhost"',
    )


CHECKS: Final = (
    _Check("appArmorProfile", "baseline", _app_armor),
    _Check("capabilities_baseline", "baseline", _capabilities),
    _Check("hostNamespaces", "baseline", _host_namespaces),
    _Check("hostPathVolumes", "baseline", _host_path_volumes),
    _Check("hostPorts", "baseline", _host_ports),
    _Check("hostProbesAndHostLifecycle", "baseline", _probe_hosts, since=34),
    _Check("privileged", "baseline", _privileged),
    _Check("procMount", "baseline", _proc_mount, until=35),
    _Check("procMount", "baseline", _unless(_own_users, _proc_mount), since=35),
    _Check("seLinuxOptions", "baseline", _selinux(_SELINUX_TYPES), until=31),
    _Check("seLinuxOptions", "baseline", _selinux(_SELINUX_ENGINE), since=31),
    _Check("seccompProfile_baseline", "baseline", _seccomp_annotations, until=19),
    _Check("seccompProfile_baseline", "baseline", _seccomp, since=19),
    _Check("sysctls", "baseline", _sysctls(0), until=27),
    _Check("sysctls", "baseline", _sysctls(27), since=27, until=29),
    _Check("sysctls", "baseline", _sysctls(29), since=29, until=32),
    _Check("sysctls", "baseline", _sysctls(32), since=32),
    _Check("windowsHostProcess", "baseline", _host_process),
    _Check("allowPrivilegeEscalation", "restricted", _escalation, since=8, until=25),
    _Check("allowPrivilegeEscalation", "restricted", _unless(_on_windows, _escalation), since=25),
    _Check(
        "capabilities_restricted",
        "restricted",
        _few_capabilities,
        since=22,
        until=25,
        replaces="capabilities_baseline",
    ),
    _Check(
        "capabilities_restricted",
        "restricted",
        _unless(_on_windows, _few_capabilities),
        since=25,
        replaces="capabilities_baseline",
    ),
    _Check("restrictedVolumes", "restricted", _volumes, replaces="hostPathVolumes"),
    _Check("runAsNonRoot", "restricted", _non_root, until=35),
    _Check("runAsNonRoot", "restricted", _unless(_own_users, _non_root), since=35),
    _Check("runAsUser", "restricted", _user, since=23, until=35),
    _Check("runAsUser", "restricted", _unless(_own_users, _user), since=35),
    _Check(
        "seccompProfile_restricted",
        "restricted",
        _some_seccomp,
        since=19,
        until=25,
        replaces="seccompProfile_baseline",
    ),
    _Check(
        "seccompProfile_restricted",
        "restricted",
        _unless(_on_windows, _some_seccomp),
        since=25,
        replaces="seccompProfile_baseline",
    ),
)
"""Every check, in the order in which upstream tells of them: by level, then by name."""
