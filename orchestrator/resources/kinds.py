"""Kinds: what the API calls an object type, where it is served and what can be done to it."""

from __future__ import annotations

from dataclasses import dataclass


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

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The store's name for it: ``pods``, ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural
