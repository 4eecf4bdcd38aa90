"""The store: one sequencer, one projection, and everything that follows them."""

from orchestrator.resources.objects import Key
from orchestrator.store.allocation import ServiceRanges
from orchestrator.store.events import ObjectEvent, WatchEvent
from orchestrator.store.following import Follower
from orchestrator.store.housekeeping import CompactionPolicy
from orchestrator.store.listing import ListPage
from orchestrator.store.operations import (
    Change,
    Changed,
    Create,
    Delete,
    DeleteOptions,
    Modify,
    Operation,
)
from orchestrator.store.recording import EventRecorder
from orchestrator.store.statistics import StoreStatistics
from orchestrator.store.store import Store
from orchestrator.store.watching import Watch
from orchestrator.store.window import Expired, WindowLimits

__all__ = [
    "Change",
    "Changed",
    "CompactionPolicy",
    "Create",
    "Delete",
    "DeleteOptions",
    "EventRecorder",
    "Expired",
    "Follower",
    "Key",
    "ListPage",
    "Modify",
    "ObjectEvent",
    "Operation",
    "ServiceRanges",
    "Store",
    "StoreStatistics",
    "Watch",
    "WatchEvent",
    "WindowLimits",
]
