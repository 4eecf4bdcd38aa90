"""Custom resource definitions: their names and conditions, and the end of their objects."""

from orchestrator.controllers.definitions.actor import DefinitionController

__all__ = ["DefinitionController"]
