"""Nodes: their health, the taints that follow from it, and pods they will not finish."""

from orchestrator.controllers.nodes.actor import NodeLifecycleController
from orchestrator.controllers.nodes.eviction import decide_eviction, decide_pod_collection
from orchestrator.controllers.nodes.lifecycle import Health, decide_node
from orchestrator.controllers.nodes.pods import PodCollector, TaintEvictionController

__all__ = [
    "Health",
    "NodeLifecycleController",
    "PodCollector",
    "TaintEvictionController",
    "decide_eviction",
    "decide_node",
    "decide_pod_collection",
]
