"""Garbage collection by owner references."""

from orchestrator.controllers.garbage.actor import GarbageCollector
from orchestrator.controllers.garbage.core import Owned, OwnerState, decide_collection

__all__ = ["GarbageCollector", "Owned", "OwnerState", "decide_collection"]
