"""DaemonSets: a pod on every node that fits."""

from orchestrator.controllers.daemonset.actor import DaemonSetController
from orchestrator.controllers.daemonset.core import Observed, decide_daemon_set

__all__ = ["DaemonSetController", "Observed", "decide_daemon_set"]
