"""Finished Jobs go after their time to live."""

from orchestrator.controllers.ttl.actor import FinishedJobController

__all__ = ["FinishedJobController"]
