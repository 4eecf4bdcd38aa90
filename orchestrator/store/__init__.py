"""The store: one sequencer, one projection, and everything that follows them."""

from orchestrator.resources.objects import Key
from orchestrator.store.allocation import ServiceRanges
from orchestrator.store.events import ObjectEvent, WatchEvent
from orchestrator.store.following import Follower
from orchestrator.store.listing import ListPage
from orchestrator.store.operations import (
    Change,
    Create,
    Delete,
    DeleteOptions,
    Modify,
    Operation,
)
from orchestrator.store.store import Store
from orchestrator.store.watching import Watch
from orchestrator.store.window import Expired, WindowLimits

__all__ = [
    "Change",
    "Create",
    "Delete",
    "DeleteOptions",
    "Expired",
    "Follower",
    "Key",
    "ListPage",
    "Modify",
    "ObjectEvent",
    "Operation",
    "ServiceRanges",
    "Store",
    "Watch",
    "WatchEvent",
    "WindowLimits",
]
