"""Pure scheduling: which node a pod goes to, and why it goes nowhere.

Nothing here waits, reads a clock or draws chance by itself.
"""

from orchestrator.scheduler.core.classes import PodClass, PodClasses
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.diagnosis import Diagnosis, diagnose
from orchestrator.scheduler.core.placement import Placer
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.queue import SchedulingQueue
from orchestrator.scheduler.core.waiting import WaitingPod

__all__ = [
    "Cluster",
    "Diagnosis",
    "Placer",
    "PodClass",
    "PodClasses",
    "PodState",
    "SchedulingQueue",
    "WaitingPod",
    "diagnose",
]
