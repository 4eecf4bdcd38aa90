"""Autoscaling: HorizontalPodAutoscalers set the replicas of what they aim at, by metrics."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.controllers.autoscaler.actor import AutoscalerController
    from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
    from orchestrator.controllers.autoscaler.source import MetricsError, MetricsSource

__all__ = ["AutoscalerController", "AutoscalerSettings", "MetricsError", "MetricsSource"]

__getattr__ = exports(
    __name__,
    {
        "AutoscalerController": "orchestrator.controllers.autoscaler.actor",
        "AutoscalerSettings": "orchestrator.controllers.autoscaler.settings",
        "MetricsError": "orchestrator.controllers.autoscaler.source",
        "MetricsSource": "orchestrator.controllers.autoscaler.source",
    },
)
