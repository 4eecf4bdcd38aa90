"""Namespaces: what every one has, and how one goes away."""

from orchestrator.controllers.namespaces.actor import NamespaceController, NamespaceDefaults
from orchestrator.controllers.namespaces.core import decide_defaults, decide_namespace

__all__ = ["NamespaceController", "NamespaceDefaults", "decide_defaults", "decide_namespace"]
