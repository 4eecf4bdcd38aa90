"""The process runtime: containers are process groups of this machine."""

from orchestrator.node.process.runtime import ProcessRuntime

__all__ = ["ProcessRuntime"]
