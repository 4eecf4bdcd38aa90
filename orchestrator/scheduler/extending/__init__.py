"""Plugins for the scheduler, written in Python: what a plugin is made of, and sees.

`docs/scheduling.md` shows how to write one and how to enable it.
"""

from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.plugins.base import Depends
from orchestrator.scheduler.extending.plugins import (
    ANY_EVENT,
    Handle,
    Plugin,
    Reject,
    Verdict,
    Wait,
    WaitingPod,
    filter_plugin,
    permit_plugin,
    score_plugin,
)
from orchestrator.scheduler.extending.views import NodeView, PodView, UndeclaredError

__all__ = [
    "ANY_EVENT",
    "ClusterEvent",
    "Depends",
    "Handle",
    "NodeView",
    "Plugin",
    "PodView",
    "Reject",
    "UndeclaredError",
    "Verdict",
    "Wait",
    "WaitingPod",
    "filter_plugin",
    "permit_plugin",
    "score_plugin",
]
