"""Whether the API servers behind APIServices are there."""

from orchestrator.controllers.apiservices.actor import AvailabilityController

__all__ = ["AvailabilityController"]
