"""Defaults of kinds that have no module of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Default


def spec_defaults(**values: object) -> Default:
    """Make a default that fills scalar fields of the spec."""
    return in_spec(lambda spec: filled(spec, **values))


def in_spec(change: Callable[[Part], Part]) -> Default:
    """Make a default out of a change of the spec."""
    return lambda obj: changed(filled(obj, spec={}), "spec", change)


def default_claim(claim: Part) -> Part:
    """Default a PersistentVolumeClaim, also inside a StatefulSet."""
    claim = changed(claim, "spec", lambda spec: filled(spec, volumeMode="Filesystem"))
    return filled(claim, status={"phase": "Pending"})


def _custom_resource(spec: Part) -> Part:
    spec = filled(spec, conversion={"strategy": "None"})

    def names(given: Part) -> Part:
        kind = given.get("kind", "")
        return filled(given, singular=kind.lower(), listKind=f"{kind}List")

    return changed(spec, "names", names)


DEFAULTS: Final[dict[str, Default]] = {
    "customresourcedefinitions.apiextensions.k8s.io": in_spec(_custom_resource),
}
"""Store resource to default."""
