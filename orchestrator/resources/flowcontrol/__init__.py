"""Priority and fairness: which requests belong together, and what share of the server they get."""

from orchestrator.resources.flowcontrol.defaults import default_flow_control
from orchestrator.resources.flowcontrol.matching import FlowRequest, flow_of, schema_matches
from orchestrator.resources.flowcontrol.seats import Level, levels_of

__all__ = ["FlowRequest", "Level", "default_flow_control", "flow_of", "levels_of", "schema_matches"]
