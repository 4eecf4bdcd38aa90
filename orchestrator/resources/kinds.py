"""Kinds: what the API calls an object type, where it is served and what can be done to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING

from orchestrator.records import dataclass
from orchestrator.resources._kind_table import (
    ALL_VERBS,
    SINCE,
    STORED_AS,
    SUBRESOURCES,
    TABLE,
    VERBS,
)
from orchestrator.resources.definitions import DEFAULT_VERSION, Definitions, definitions

if TYPE_CHECKING:
    from orchestrator.resources.custom.versions import CustomVersion


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one group and version.

    Attributes:
        group: API group, empty for core.
        version: ``v1``.
        kind: CamelCase name, ``Deployment``.
        plural: Lower-case plural used in paths.
        singular: Lower-case singular.
        namespaced: Whether objects live in namespaces.
        short_names: What kubectl accepts for it, ``("deploy",)``.
        categories: Groups of kinds kubectl knows, ``("all",)``.
        verbs: Verbs that discovery lists.
        subresources: ``("status", "scale")``.
        definition: Key of its schema in the published definitions.
        release: Kubernetes version whose definitions hold the schema, ``1.35``.
        stored_as: Resource under which the objects are stored, where it is another's: Events of
            ``events.k8s.io`` are the core group's. Empty for the kind's own.
        storage: Objects are stored in this version, if another version of the resource does not
            come first in the registry.
        served: The version can be asked for; one that can't may still be the one stored in.
        custom: What a custom kind brings along; None for a built-in one.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    definition: str = ""
    release: str = DEFAULT_VERSION
    stored_as: str = ""
    storage: bool = True
    served: bool = True
    custom: CustomVersion | None = field(default=None, compare=False, repr=False)

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        """Kind of lists: ``DeploymentList``."""
        return f"{self.kind}List" if self.custom is None else self.custom.list_kind

    @property
    def resource(self) -> str:
        """The store's name for it: ``pods``, ``deployments.apps``."""
        if self.stored_as:
            return self.stored_as
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclass(frozen=True, slots=True)
class Subresource:
    """One subresource as discovery lists it.

    Attributes:
        name: ``scale``.
        kind: Kind of the object it takes and returns.
        group: That kind's group.
        version: That kind's version.
        verbs: What can be done.
    """

    name: str
    kind: str
    group: str
    version: str
    verbs: tuple[str, ...]


def subresource(kind: Kind, name: str) -> Subresource:
    """Describe a subresource; KeyError for one upstream does not know at all.

    Custom kinds may have ``status`` and ``scale``, so this does not look at ``kind.subresources``.
    """
    served, group, version, verbs = SUBRESOURCES[name]
    if not served:
        return Subresource(name, kind.kind, kind.group, kind.version, verbs)
    if name == "proxy":
        served = f"{kind.kind}{served}"
    return Subresource(name, served, group, version, verbs)


class KindRegistry:
    """The kinds that one Kubernetes version serves. Immutable; `extended` makes a larger one."""

    def __init__(self, version: str, kinds: Iterable[Kind]) -> None:
        """Index ``kinds``; of several versions of a group the first one listed is preferred."""
        self.version = version
        self._all = tuple(kinds)
        self._kinds = tuple(kind for kind in self._all if kind.served)
        self._by_path = {(kind.group, kind.version, kind.plural): kind for kind in self._kinds}
        self._by_name = {(kind.api_version, kind.kind): kind for kind in self._kinds}
        self._by_key: dict[str, Kind] = {}
        self._groups: dict[str, list[str]] = {}
        versions_of: dict[str, int] = {}
        for kind in self._all:
            if kind.storage:
                self._by_key.setdefault(kind.resource, kind)
            versions_of[kind.resource] = versions_of.get(kind.resource, 0) + 1
            if not kind.served:
                continue
            versions = self._groups.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        self._several = frozenset(name for name, count in versions_of.items() if count > 1)

    def by_resource(self, group: str, version: str, plural: str) -> Kind | None:
        """Find the kind behind a path: ``("apps", "v1", "deployments")``."""
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Kind | None:
        """Find the kind an object claims to be: ``("apps/v1", "Deployment")``."""
        return self._by_name.get((api_version, kind))

    def by_key(self, resource: str) -> Kind:
        """Return the kind a resource is stored as; KeyError when it is not served."""
        return self._by_key[resource]

    def is_converted(self, kind: Kind) -> bool:
        """Tell whether objects of a kind may be stored in another version than the kind's."""
        return kind.resource in self._several or kind.custom is not None

    def kinds(self) -> tuple[Kind, ...]:
        """All kinds, by group in upstream's order; several versions of one resource included."""
        return self._kinds

    def in_group(self, group: str, version: str) -> tuple[Kind, ...]:
        """Kinds of one group and version."""
        return tuple(k for k in self._kinds if k.group == group and k.version == version)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Group name (empty for core) to its versions, the preferred one first."""
        return {group: tuple(versions) for group, versions in self._groups.items()}

    def extended(self, kinds: Iterable[Kind]) -> KindRegistry:
        """Return a registry that serves further kinds too."""
        return KindRegistry(self.version, (*self._all, *kinds))


@cache
def registry(version: str = DEFAULT_VERSION) -> KindRegistry:
    """Return the built-in kinds of a Kubernetes version (``1.35``).

    Raises:
        ValueError: The installed definitions do not carry that version.
    """
    return KindRegistry(version, _built_in(definitions(version)))


def _built_in(known: Definitions) -> Iterator[Kind]:
    major, _, minor = known.version.partition(".")
    served_version = (int(major), int(minor))
    for (group, version), rows in TABLE.items():
        for kind, plural, namespaced, short_names, categories, subresources in rows:
            definition = known.kinds.get((group, version, kind))
            if definition is None:
                continue
            yield Kind(
                group=group,
                version=version,
                kind=kind,
                plural=plural,
                singular=kind.lower(),
                namespaced=namespaced,
                short_names=tuple(short_names.split()),
                categories=tuple(categories.split()),
                verbs=VERBS.get(kind, ALL_VERBS),
                subresources=tuple(
                    name
                    for name in subresources.split()
                    if SINCE.get(name, served_version) <= served_version
                ),
                definition=definition,
                release=known.version,
                stored_as=STORED_AS.get((group, kind), ""),
            )
