"""Defaults that several kinds share."""

from __future__ import annotations

from collections.abc import Callable

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
