"""Autoscaling: HorizontalPodAutoscalers set the replicas of what they aim at, by metrics."""

from orchestrator.controllers.autoscaler.actor import AutoscalerController
from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
from orchestrator.controllers.autoscaler.source import MetricsError, MetricsSource

__all__ = ["AutoscalerController", "AutoscalerSettings", "MetricsError", "MetricsSource"]
