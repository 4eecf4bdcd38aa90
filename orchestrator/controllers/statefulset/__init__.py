"""StatefulSets: pods with a name, a place in a row and storage of their own."""

from orchestrator.controllers.statefulset.actor import StatefulSetController
from orchestrator.controllers.statefulset.core import Observed, decide_stateful_set

__all__ = ["Observed", "StatefulSetController", "decide_stateful_set"]
