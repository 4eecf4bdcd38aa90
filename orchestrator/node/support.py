"""Fields that ask for what a node cannot do: such a pod waits and says so, it is never half-run.

The simulated runtime executes nothing, so whatever concerns a program's surroundings (volumes,
users, host namespaces) holds there trivially, and only what changes a pod's course is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from orchestrator.node.volumes.presence import find_kind
from orchestrator.resources.objects import Object, spec_of


class Unsupported(NamedTuple):
    """One field that cannot be honoured.

    Attributes:
        path: ``spec.containers[0].livenessProbe``.
        why: Completes a sentence that begins with the path.
    """

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


_LATER = "is not supported by this node"
COURSE = frozenset(("resourceClaims",))
"""Fields of the pod that change its course whatever runs it."""
_HOST = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "setHostnameAsFQDN")
_POD = ("hostAliases", "dnsConfig", "runtimeClassName", "overhead")
_VOLUMES = frozenset(
    (
        "configMap",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "hostPath",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
_PROJECTED = frozenset(("configMap", "downwardAPI", "secret", "serviceAccountToken"))
_BIDIRECTIONAL = "must not be Bidirectional: no mount of a process reaches the machine"
_CONTAINER = ("volumeDevices",)
_POD_SECURITY = ("sysctls", "seLinuxOptions", "windowsOptions")
_GROUPS = ("fsGroup", "supplementalGroups")
_SECURITY = ("privileged", "readOnlyRootFilesystem", "seLinuxOptions", "windowsOptions")


def find_unsupported(pod: Object, *, executes: bool, user: int) -> tuple[Unsupported, ...]:
    """List the fields of ``pod`` that the node cannot honour.

    Args:
        pod: Any pod.
        executes: Whether the runtime starts programs.
        user: The daemon's uid; only 0 can become another user.
    """
    spec = spec_of(pod)
    found = [Unsupported(f"spec.{name}", _LATER) for name in sorted(COURSE) if spec.get(name)]
    if executes:
        found += _pod_level(spec, user)
        for path, container in _containers(spec):
            found += _container_level(container, path, user)
    return tuple(found)


def _containers(spec: Object) -> Iterator[tuple[str, Object]]:
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield f"spec.{field}[{index}]", container


def unsupported_of_debugger(
    container: Object, index: int, *, executes: bool, user: int
) -> tuple[Unsupported, ...]:
    """List the fields of an ephemeral container that the node cannot honour.

    Args:
        container: Its entry in the pod.
        index: Its place there.
        executes: Whether the runtime starts programs.
        user: The daemon's uid.
    """
    if not executes:
        return ()
    return tuple(_container_level(container, f"spec.ephemeralContainers[{index}]", user))


def _pod_level(spec: Object, user: int) -> Iterator[Unsupported]:
    for name in (*_HOST, *_POD):
        if spec.get(name):
            yield Unsupported(f"spec.{name}", _LATER)
    if spec.get("dnsPolicy") == "None":
        yield Unsupported("spec.dnsPolicy", 'must not be "None": processes use the machine\'s DNS')
    if spec.get("hostUsers") is False:
        yield Unsupported("spec.hostUsers", "must not be false: processes have no user namespace")
    if ((spec.get("os") or {}).get("name") or "linux") != "linux":
        yield Unsupported("spec.os.name", "must be linux")
    for index, volume in enumerate(spec.get("volumes") or ()):
        kind = find_kind(volume)
        if kind not in _VOLUMES:
            yield Unsupported(f"spec.volumes[{index}]", f"a volume of type {kind} {_LATER}")
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            for name in sorted(source.keys() - _PROJECTED):
                yield Unsupported(
                    f"spec.volumes[{index}].projected.sources[{number}].{name}", _LATER
                )
    security = spec.get("securityContext") or {}
    for name in _POD_SECURITY:
        if security.get(name):
            yield Unsupported(f"spec.securityContext.{name}", _LATER)
    for name in _GROUPS:
        if security.get(name) and user != 0:
            why = f"the daemon runs as uid {user}, not as root"
            yield Unsupported(f"spec.securityContext.{name}", why)
    yield from _users(security, "spec.securityContext", user)


def _container_level(container: Object, path: str, user: int) -> Iterator[Unsupported]:
    for name in _CONTAINER:
        if container.get(name):
            yield Unsupported(f"{path}.{name}", _LATER)
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("mountPropagation") == "Bidirectional":
            yield Unsupported(f"{path}.volumeMounts[{index}].mountPropagation", _BIDIRECTIONAL)
    for index, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort"):
            yield Unsupported(f"{path}.ports[{index}].hostPort", _LATER)
    if (container.get("resources") or {}).get("claims"):
        yield Unsupported(f"{path}.resources.claims", _LATER)
    security = container.get("securityContext") or {}
    for name in _SECURITY:
        if security.get(name):
            yield Unsupported(f"{path}.securityContext.{name}", _LATER)
    yield from _capabilities(security, f"{path}.securityContext", user)
    yield from _users(security, f"{path}.securityContext", user)


def _capabilities(security: Object, path: str, user: int) -> Iterator[Unsupported]:
    """Dropping is what leaving root does anyway; a root process would keep all it has.

    Among that is looking into other processes, which ``kubectl debug --profile=general`` asks for.
    """
    capabilities = security.get("capabilities") or {}
    has = {"SYS_PTRACE"} if user == 0 and not security.get("runAsUser") else set()
    if not has.issuperset(capabilities.get("add") or ()):
        yield Unsupported(f"{path}.capabilities.add", _LATER)
    if capabilities.get("drop") and user == 0 and not security.get("runAsUser"):
        yield Unsupported(f"{path}.capabilities.drop", f"for a process of root {_LATER}")


def _users(security: Object, path: str, user: int) -> Iterator[Unsupported]:
    wanted = security.get("runAsUser")
    if wanted is not None and user not in (0, wanted):
        why = f"the daemon runs as uid {user} and cannot become {wanted}"
        yield Unsupported(f"{path}.runAsUser", why)
    if security.get("runAsGroup") is not None and user != 0:
        yield Unsupported(f"{path}.runAsGroup", f"the daemon runs as uid {user}, not as root")
    profile = (security.get("seccompProfile") or {}).get("type")
    if profile not in (None, "Unconfined"):
        yield Unsupported(f"{path}.seccompProfile", f"type {profile} {_LATER}")


def limits_of(pod: Object) -> list[str]:
    """Paths of limits of resources and volumes, which a process node does not enforce."""
    spec = spec_of(pod)
    return [
        f"{path}.resources.limits"
        for path, container in _containers(spec)
        if (container.get("resources") or {}).get("limits")
    ] + [
        f"spec.volumes[{index}].emptyDir.sizeLimit"
        for index, volume in enumerate(spec.get("volumes") or ())
        if (volume.get("emptyDir") or {}).get("sizeLimit")
    ]
