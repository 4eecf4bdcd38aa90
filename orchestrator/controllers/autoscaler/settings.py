"""Settings of autoscaling; kube-controller-manager's flags ``--horizontal-pod-autoscaler-*``."""

from __future__ import annotations

from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerSettings:
    """How autoscalers work where their own spec does not say.

    Attributes:
        sync_period: Seconds between two looks at an autoscaler, and from its creation to the first.
            Upstream's 15.
        downscale_stabilization: Seconds for which the highest recommendation counts before there
            are fewer replicas. Upstream's 300.
        tolerance: How far a ratio of usage to target may be from 1 without a change. Upstream's
            0.1.
        cpu_initialization_period: Seconds after a pod's start in which its CPU does not count while
            it is not ready. Upstream's 300.
        initial_readiness_delay: Seconds after a pod's start in which a change of readiness is taken
            for its first one. Upstream's 30.
    """

    sync_period: float = 15.0
    downscale_stabilization: float = 300.0
    tolerance: float = 0.1
    cpu_initialization_period: float = 300.0
    initial_readiness_delay: float = 30.0
