"""The scheduler's plugins, one module each.

A filter says why a pod cannot run on a node; a score says how good a node is. To add a plugin:
write its module, name it in `orchestrator.scheduler.core.framework` and in
`orchestrator.scheduler.configuration.points`, and add its case to ``tests/scheduler``.
"""

from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection, Score

__all__ = ["Depends", "Filter", "Rejection", "Score"]
