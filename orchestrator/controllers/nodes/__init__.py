"""Nodes: their health, the taints that follow from it, and pods they will not finish."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
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

__getattr__ = exports(
    __name__,
    {
        "Health": "orchestrator.controllers.nodes.lifecycle",
        "NodeLifecycleController": "orchestrator.controllers.nodes.actor",
        "PodCollector": "orchestrator.controllers.nodes.pods",
        "TaintEvictionController": "orchestrator.controllers.nodes.pods",
        "decide_eviction": "orchestrator.controllers.nodes.eviction",
        "decide_node": "orchestrator.controllers.nodes.lifecycle",
        "decide_pod_collection": "orchestrator.controllers.nodes.eviction",
    },
)
