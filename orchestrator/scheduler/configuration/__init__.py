"""KubeSchedulerConfiguration (``kubescheduler.config.k8s.io/v1``): read, validated, typed.

Pure, apart from `orchestrator.scheduler.configuration.files`, which is not imported here.
"""

from orchestrator.scheduler.configuration.arguments import (
    SYSTEM_CONSTRAINTS,
    BalancedAllocationArgs,
    DefaultPreemptionArgs,
    InterPodAffinityArgs,
    NodeAffinityArgs,
    NodeResourcesFitArgs,
    PluginArguments,
    PodTopologySpreadArgs,
    ResourceWeight,
    ScoringStrategy,
    ShapePoint,
    VolumeBindingArgs,
)
from orchestrator.scheduler.configuration.defaults import (
    DEFAULT_CONFIGURATION,
    DEFAULT_PROFILE,
    DEFAULT_SCHEDULER_NAME,
)
from orchestrator.scheduler.configuration.points import BUILT_IN, POINTS, Point, Registry
from orchestrator.scheduler.configuration.profiles import (
    Profile,
    SchedulerConfiguration,
    WeightedScore,
)
from orchestrator.scheduler.configuration.reading import ConfigurationError, parse_configuration

__all__ = [
    "BUILT_IN",
    "DEFAULT_CONFIGURATION",
    "DEFAULT_PROFILE",
    "DEFAULT_SCHEDULER_NAME",
    "POINTS",
    "SYSTEM_CONSTRAINTS",
    "BalancedAllocationArgs",
    "ConfigurationError",
    "DefaultPreemptionArgs",
    "InterPodAffinityArgs",
    "NodeAffinityArgs",
    "NodeResourcesFitArgs",
    "PluginArguments",
    "PodTopologySpreadArgs",
    "Point",
    "Profile",
    "Registry",
    "ResourceWeight",
    "SchedulerConfiguration",
    "ScoringStrategy",
    "ShapePoint",
    "VolumeBindingArgs",
    "WeightedScore",
    "parse_configuration",
]
