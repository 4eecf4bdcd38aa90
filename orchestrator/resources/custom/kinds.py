"""From CustomResourceDefinitions to the kinds that are served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Object, is_deleting, spec_of, status_of

DEFINITIONS: Final = "customresourcedefinitions.apiextensions.k8s.io"
"""The store's name of the definitions."""

_VERBS: Final = (
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
)
"""As discovery lists them for custom kinds: sorted otherwise than those of built-in ones."""
_VERSION: Final = re.compile(r"v([1-9]\d*)((alpha|beta)([1-9]\d*))?")
_STABILITY: Final = {None: 2, "beta": 1, "alpha": 0}


def version_order(name: str) -> tuple[int, int, int, str]:
    """Return a key that sorts versions as upstream does: ``v2``, ``v1``, ``v1beta1``, others."""
    found = _VERSION.fullmatch(name)
    if found is None:
        return (1, 0, 0, name)
    stability = _STABILITY[found[3]]
    return (0, -(stability * 10**6 + int(found[1])), -int(found[4] or 0), name)


def is_served(crd: Object) -> bool:
    """Tell whether objects of a definition can be asked for."""
    return is_condition_true(crd, "Established") or is_condition_true(crd, "NamesAccepted")


def kinds_of(crd: Object, release: str) -> Iterator[Kind]:
    """Yield the kinds that a definition makes: its served versions, and the one stored in.

    A definition that is not served, or no longer, may still have objects to be removed.

    Args:
        crd: With its accepted names.
        release: Kubernetes version served.
    """
    # A server without custom kinds never needs what this brings along.
    from orchestrator.resources.custom.versions import CustomVersion

    spec = spec_of(crd)
    # Users may write a status too: it must not leave a kind without a name, or with another.
    accepted = status_of(crd).get("acceptedNames") or {}
    names = {**accepted, "kind": accepted.get("kind") or spec["names"]["kind"]}
    plural: str = spec["names"]["plural"]  # never changes: objects are stored under it
    group: str = spec["group"]
    siblings: dict[str, CustomVersion] = {}
    established = is_served(crd)
    for raw in spec.get("versions") or ():
        served = established and bool(raw.get("served"))
        if not served and not raw.get("storage"):
            continue
        version = siblings[raw["name"]] = CustomVersion(crd, raw, release)
        version.siblings = siblings
        subresources = raw.get("subresources") or {}
        yield Kind(
            group=group,
            version=raw["name"],
            kind=names["kind"],
            plural=plural,
            singular=names.get("singular") or names["kind"].lower(),
            namespaced=version.namespaced,
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            verbs=_VERBS,
            subresources=tuple(
                name for name in ("status", "scale") if subresources.get(name) is not None
            ),
            definition=definition_name(group, raw["name"], names["kind"]),
            release=release,
            storage=bool(raw.get("storage")),
            served=served,
            custom=version,
        )


def definition_name(group: str, version: str, kind: str) -> str:
    """Return what a kind's schema is called in OpenAPI documents: ``com.example.v1.Widget``."""
    return f"{'.'.join(reversed(group.split('.')))}.{version}.{kind}"


class CustomKinds:
    """The kinds of all definitions; compiled schemas are kept while their definition says the same.

    Attributes:
        base: The built-in kinds.
    """

    def __init__(self, base: KindRegistry) -> None:
        self.base = base
        self._made: dict[str, tuple[Object, list[Kind]]] = {}

    def registry(self, crds: Iterable[Object]) -> KindRegistry:
        """Return a registry that serves the kinds of some definitions besides the built-in ones.

        Groups come in upstream's order: the built-in ones first, then by name; versions of a group
        the preferred one first. A built-in kind is never replaced.
        """
        made = {}
        for crd in crds:
            uid = crd["metadata"]["uid"]
            before = self._made.get(uid)
            if before is not None and _serves_alike(before[0], crd):
                made[uid] = before
            else:
                made[uid] = crd, list(kinds_of(crd, self.base.version))
        self._made = made
        taken = self.base.by_resource
        kinds = [
            kind
            for _, own in made.values()
            for kind in own
            if taken(kind.group, kind.version, kind.plural) is None
        ]
        kinds.sort(key=lambda kind: (kind.group, version_order(kind.version), kind.plural))
        return self.base.extended(kinds) if kinds else self.base


def _serves_alike(before: Object, after: Object) -> bool:
    """Tell whether two states of a definition make the same kinds."""
    if before is after:
        return True
    old, new = spec_of(before), spec_of(after)
    names = status_of(before).get("acceptedNames") == status_of(after).get("acceptedNames")
    names = names and is_served(before) is is_served(after)
    return names and is_deleting(before) is is_deleting(after) and (old is new or old == new)
