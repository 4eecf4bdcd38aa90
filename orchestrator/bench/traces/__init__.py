"""Traces: nodes that come and go, pods that arrive and leave, as files and as records."""
