"""From a path to what it names: kind, namespace, name, subresource."""

from __future__ import annotations

from typing import Final

from orchestrator.records import dataclass
from orchestrator.resources.kinds import Kind, KindRegistry

_NAMESPACE_SUBRESOURCES: Final = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Target:
    """The resource a path names.

    Attributes:
        kind: The kind in the version asked for.
        namespace: None for all namespaces or a cluster-scoped kind.
        name: Empty for the collection.
        subresource: Empty for the object itself.
        rest: What follows the subresource (``proxy`` has paths of its own).
        watch: The path had the deprecated ``watch/`` prefix.
    """

    kind: Kind
    namespace: str | None
    name: str
    subresource: str
    rest: str = ""
    watch: bool = False

    @property
    def resource(self) -> str:
        """The store's name of the resource."""
        return self.kind.resource

    @property
    def scope(self) -> str:
        """Namespace for store calls: empty for cluster-scoped kinds."""
        return self.namespace or ""


def resolve(registry: KindRegistry, path: str) -> Target | None:
    """Find what ``path`` names; None when nothing is served there.

    A path under ``/api/v1`` or ``/apis/GROUP/VERSION``; the group's own page is not a target.
    """
    parts = path.split("/")
    if parts[-1] == "":
        parts.pop()
    if len(parts) > 3 and parts[1] == "api":
        group, version, rest = "", parts[2], parts[3:]
    elif len(parts) > 4 and parts[1] == "apis":
        group, version, rest = parts[2], parts[3], parts[4:]
    else:
        return None
    watch = rest[0] == "watch" and len(rest) > 1
    if watch:
        rest = rest[1:]
    namespace: str | None = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
        namespace = rest[1]
        rest = rest[2:]
        if not namespace:
            return None
    kind = registry.by_resource(group, version, rest[0])
    if kind is None or (namespace is not None and not kind.namespaced):
        return None
    if kind.namespaced and namespace is None and len(rest) > 1:
        return None
    count = len(rest)
    name = rest[1] if count > 1 else ""
    subresource = rest[2] if count > 2 else ""
    more = "/".join(rest[3:]) if count > 3 else ""
    if more and subresource != "proxy":
        return None
    # Nothing below an object is served there: it would be authorized as a watch.
    if subresource and (watch or subresource not in kind.subresources):
        return None
    return Target(kind, namespace, name, subresource, more, watch)
